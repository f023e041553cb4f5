package expression

import (
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Lazy gives a value for a variable of the type Map whose entries are asked for one by one,
// when an expression comes to them. find is false for a name that there is not. What it
// gives is for one evaluation after the other, not for several at once.
func Lazy(find func(name string) (value any, found bool, err error)) any { return lazy{find} }

type lazy struct {
	find func(string) (any, bool, error)
}

var _ traits.Mapper = lazy{}

// Find implements [traits.Mapper].
func (l lazy) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.Value().(string)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), true
	}
	value, found, err := l.find(name)
	switch {
	case err != nil:
		return types.WrapErr(err), true
	case !found:
		return nil, false
	}
	return types.DefaultTypeAdapter.NativeToValue(value), true
}

// Get implements [traits.Mapper].
func (l lazy) Get(key ref.Val) ref.Val {
	if value, found := l.Find(key); found {
		return value
	}
	return types.NewErr("no such key: %v", key)
}

// Contains implements [traits.Mapper].
func (l lazy) Contains(key ref.Val) ref.Val {
	value, found := l.Find(key)
	if found && types.IsError(value) {
		return value
	}
	return types.Bool(found)
}

// What is asked of all entries at once has no answer.

// Size implements [traits.Sizer].
func (l lazy) Size() ref.Val { return types.NewErr("they cannot be counted") }

// Iterator implements [traits.Iterable]. An evaluation that panics ends with an error, and
// an iterator cannot tell of one.
func (l lazy) Iterator() traits.Iterator { panic("they cannot be asked in turn") }

// Equal implements [ref.Val].
func (l lazy) Equal(ref.Val) ref.Val { return types.NewErr("they cannot be compared") }

// Type implements [ref.Val].
func (l lazy) Type() ref.Type { return cel.MapType(cel.StringType, cel.DynType) }

// Value implements [ref.Val].
func (l lazy) Value() any { return l }

// ConvertToType implements [ref.Val].
func (l lazy) ConvertToType(ref.Type) ref.Val { return types.NewErr("they cannot be converted") }

// ConvertToNative implements [ref.Val].
func (l lazy) ConvertToNative(t reflect.Type) (any, error) {
	return nil, types.NewErr("they cannot be converted to %s", t.String()).(*types.Err)
}
