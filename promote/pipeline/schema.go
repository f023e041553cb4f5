package pipeline

import (
	_ "embed" // the schema
	"slices"
)

// SchemaURL is where editors find the schema.
const SchemaURL = "https://raw.githubusercontent.com/kubepromote/kubepromote/main/promote/pipeline/schema.json"

//go:embed schema.json
var schema []byte

// Schema gives the JSON Schema of the pipeline file, draft 2020-12. It is made from the
// types of this package, with their comments, and says which fields there are; [Parse]
// says more, as what one field may be often depends on another.
func Schema() []byte { return slices.Clone(schema) }
