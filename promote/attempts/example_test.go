package attempts_test

import (
	"context"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/attempts"
)

// What comes too late is made anew, on what the others have done.
func ExampleRetry_Until() {
	retry := attempts.Retry{
		Wait: func(context.Context, time.Duration) error { return nil },
		Says: func(n int, err error) { fmt.Println(n, err) },
	}
	err := retry.Until(context.Background(), func(attempt int) error {
		if attempt < 2 {
			return &promote.Moved{Branch: "origin/main"}
		}
		fmt.Println("landed")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 somebody else has moved origin/main in the meantime
	// landed
	// <nil>
}
