package digest

import (
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/digest/layout"
)

// ResolveLayout tells the digest of an image in files: a layout or an archive, in
// the forms of [layout.ParseRef]. Repository is the path with its kind in front,
// "oci:DIR"; Tag is the name in the layout or archive. An error is an [*Error]
// without a Registry.
func ResolveLayout(ctx context.Context, ref string) (Resolution, error) {
	image, err := layout.Open(ctx, ref)
	if err != nil {
		if e, ok := errors.AsType[*layout.Error](err); ok {
			err = &Error{Ref: e.Ref, Kind: e.Kind, Err: e.Err}
		}
		return Resolution{Ref: ref}, err
	}
	defer image.Close()
	r, d := image.Ref(), image.Descriptor()
	return Resolution{
		Ref: ref, Repository: r.Kind + ":" + r.Path, Tag: r.Name,
		Digest: d.Digest.String(), MediaType: string(d.MediaType), Size: d.Size,
	}, nil
}
