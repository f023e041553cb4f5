package span_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline/span"
)

func ExampleDuration_Time() {
	fmt.Println(span.Duration("90m").Time(), span.Duration("").Time())
	// Output: 1h30m0s 0s
}
