package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each shape of the table is a folder of a script, and each such folder is in the table.
func TestAdoption(t *testing.T) {
	table, err := os.ReadFile("adoption.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)\| (adoption_\w+), ([\w ]+) \|$`).FindAllStringSubmatch(string(table), -1) {
		for _, folder := range strings.Split(row[2], " and ") {
			told[row[1]+" "+folder] = true
		}
	}
	scripts, err := filepath.Glob("../plugins/kubectl/testdata/script/adoption_*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(script), ".txtar")
		for _, folder := range regexp.MustCompile(`(?m)^cmp stdout (?:\.\./)+(\w+)\.want$`).FindAllStringSubmatch(string(data), -1) {
			if key := name + " " + folder[1]; !told[key] {
				t.Errorf("%s is not in adoption.md", key)
			} else {
				delete(told, key)
			}
		}
	}
	for key := range told {
		t.Errorf("%s is in adoption.md, and no script has it", key)
	}
}
