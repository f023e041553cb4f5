package discovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Tree reads files by slash-separated paths; "." is the root. Symbolic links are not
// followed: only what ReadDir says is a folder or a regular file is looked at.
type Tree interface {
	ReadFile(path string) ([]byte, error)
	ReadDir(path string) ([]fs.DirEntry, error)
}

// Lister is a Tree that lists all its regular files at once, which is faster than folder
// by folder where git knows them.
type Lister interface {
	Tree
	Files(ctx context.Context) ([]string, error)
}

// Shape is one entry of a layout: where pins of services stand.
type Shape struct {
	// Path is a template with {service} and {environment}, any number of times, other
	// holes that are the same text in all environments, such as {team}, and * for text
	// that may differ. It leads to a file, or to a folder that holds a kustomization.
	Path string
	// Within is a part of a shared file, with holes, by the grammar of overlay's paths;
	// else it is empty.
	Within string
	// Service is set where {service} stands in neither: the name of the one service, or
	// "image" where every image of the file is a service of its own. It is empty where
	// nothing in the files tells a name.
	Service string
	// Images are the paths of pins that no convention finds, from the file's root and
	// with holes. A file of one line has none, and neither has a path.
	Images []string
	// Types are the types of pins that were found, in the order of their names.
	Types []overlay.Type
	// Services and Pins were found on both sides of at least two environments. They are
	// estimated from a sample where many services have one shape.
	Services, Pins int

	environments map[string]bool
}

// Environment is one of a repository's environments.
type Environment struct {
	Name string
	// Path is what {environment} stands for where it is not Name.
	Path string
	// From are the environments that this one is promoted from.
	From []string
}

// Leftover is something that looks like a part of a layout and is not used.
type Leftover struct {
	// Path is a template as in a Shape.
	Path string
	// Reason is one line.
	Reason string
}

// Result is what was found in a tree.
type Result struct {
	// Shapes are used together. The first has the most services.
	Shapes []Shape
	// Environments are in the order in which versions pass through them.
	Environments []Environment
	// Left is bounded; where there is more, its last entry says how much.
	Left []Leftover
}

// ErrNone is the error of a tree in which no pin is in two environments. Test with
// errors.Is. The Result beside it has the nearest misses in Left.
var ErrNone = errors.New("no file or folder named after an environment holds a pin that another environment has too")

// mostLeft is how many leftovers are told.
const mostLeft = 20

// fluxOwn leaves out the files that flux bootstrap writes, and tells of those that have images.
func fluxOwn(files []string) ([]string, []Leftover) {
	first, more := "", 0
	files = slices.DeleteFunc(files, func(file string) bool {
		if path.Base(file) == "gotk-components.yaml" {
			if first == "" {
				first = file
			} else {
				more++
			}
		}
		return location.IsFluxOwn(path.Base(file))
	})
	switch {
	case first == "":
		return files, nil
	case more > 0:
		return files, []Leftover{{first, fmt.Sprintf("is what flux bootstrap installs Flux itself by, and no service (%d more)", more)}}
	}
	return files, []Leftover{{first, "is what flux bootstrap installs Flux itself by, and no service"}}
}

// Discover finds the layout of a tree by the pins that it holds.
func Discover(ctx context.Context, tree Tree) (Result, error) {
	files, limited, err := allFiles(ctx, tree)
	if err != nil {
		return Result{}, err
	}
	files, own := fluxOwn(files)
	f := &finder{
		ctx: ctx, claimed: make(map[string]bool),
		reader: &reader{ctx: ctx, tree: tree, folders: make(map[string]string), known: make(map[string]*once)},
	}
	files, composed := f.composed(files)
	clusters := f.sort(files)
	for _, c := range clusters {
		if c.aside && len(f.shapes) > 0 {
			continue // what only shows something is of use where there is nothing else
		}
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		f.try(c)
	}
	f.again()
	f.inline()
	r := f.result()
	r.Left = append(append(r.Left, own...), composed...)
	if limited {
		r.Left = append(r.Left, Leftover{".", "more than a million files and folders: the rest was not looked at"})
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if len(r.Shapes) == 0 {
		return r, ErrNone
	}
	return r, nil
}
