package overlay_test

import "testing"

func TestArgo(t *testing.T) { runFormats(t, "testdata/argo") }
