package recording_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline/recording"
)

func ExampleEvents_Tells() {
	events := &recording.Events{On: []string{"refused", "rolledBack"}, Slack: &recording.Variable{Env: "PROMOTE_SLACK"}}
	fmt.Println(events.Tells("rolledBack"), events.Tells("promoted"), events.Variables())
	// Output: true false [PROMOTE_SLACK]
}
