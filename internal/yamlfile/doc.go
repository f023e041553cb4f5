// Package yamlfile decodes configuration files strictly. What it does not
// understand completely is a fault with its place: unknown fields, fields that
// stand twice, values of a wrong type, further documents, aliases. All faults of
// a file are told, as far as [MaxFaults] goes, in the order of the file.
//
// [Parse] reads a file within bounds. What is in it is then decoded into a Go
// value by [File.Decode], compared with a [Shape] by [File.Check], or walked by
// the caller. Whoever finds something wrong adds it by [File.Add], or by
// [File.At] where the value is known by its path alone. [File.Err] makes the
// caller's own errors of the faults.
package yamlfile
