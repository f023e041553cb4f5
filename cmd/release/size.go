package main

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strings"
)

// shownModules is how many modules size lists.
const shownModules = 25

// size prints what the modules weigh in the program: code and data by the
// symbols that the linker has kept.
func (r *releaser) size(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "size-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, program)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", file, "./cmd/"+program)
	cmd.Env = append(os.Environ(), checkedPlatform.environment()...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", program, err, out)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sizes, err := moduleSizes(f, info)
	if err != nil {
		return err
	}
	return r.printSizes(sizes)
}

func (r *releaser) printSizes(sizes map[string]int64) error {
	var names []string
	var all int64
	for name, size := range sizes {
		names = append(names, name)
		all += size
	}
	sort.Slice(names, func(i, j int) bool {
		if sizes[names[i]] != sizes[names[j]] {
			return sizes[names[i]] > sizes[names[j]]
		}
		return names[i] < names[j]
	})
	fmt.Fprintf(r.out, "| module | KB | share |\n| --- | ---: | ---: |\n")
	for _, name := range names[:min(shownModules, len(names))] {
		fmt.Fprintf(r.out, "| %s | %d | %.1f %% |\n", name, sizes[name]/1000, 100*float64(sizes[name])/float64(all))
	}
	_, err := fmt.Fprintf(r.out, "| all %d modules | %d | 100 %% |\n", len(names), all/1000)
	return err
}

// moduleSizes adds up the symbols of each module that stand in the file: memory
// that begins as zeroes does not. The tables of lines are no symbols.
func moduleSizes(f *elf.File, info *debug.BuildInfo) (map[string]int64, error) {
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64)
	for _, s := range symbols {
		if int(s.Section) < len(f.Sections) && f.Sections[s.Section].Type == elf.SHT_PROGBITS {
			sizes[moduleOf(s.Name, info)] += int64(s.Size)
		}
	}
	if tables := f.Section(".gopclntab"); tables != nil {
		sizes["Go: tables of functions and lines"] += int64(tables.Size)
	}
	return sizes, nil
}

// moduleOf finds the module of a symbol, such as "example.com/m/pkg.(*T).Do" or
// "type:.eq.example.com/m/pkg.T".
func moduleOf(symbol string, info *debug.BuildInfo) string {
	best := ""
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		at := strings.Index(strings.ReplaceAll(symbol, "%2e", "."), m.Path)
		// The receiver's or the argument's module may stand further behind.
		if at >= 0 && at <= len("type:.eq.") && len(m.Path) > len(best) {
			best = m.Path
		}
	}
	switch {
	case best != "":
		return best
	case strings.HasPrefix(symbol, "type:") || strings.HasPrefix(symbol, "go:") || strings.HasPrefix(symbol, "runtime."):
		return "Go: runtime and types"
	}
	return "Go: standard library"
}
