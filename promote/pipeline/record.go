package pipeline

import "github.com/kubepromote/kubepromote/promote/pipeline/recording"

// What is kept and told of promotions, and where secrets come from, has a package of its own.
type (
	Record   = recording.Record
	Variable = recording.Variable
)
