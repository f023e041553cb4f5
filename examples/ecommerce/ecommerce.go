// Package ecommerce holds an example of an infrastructure repository: five
// services of a shop in three environments. `kubectl promote demo` runs on it.
package ecommerce

import "embed"

// Registry is the registry that the example's images are said to be in.
const Registry = "registry.example.com"

// Repository is the example, below the directory "repository".
//
//go:embed all:repository
var Repository embed.FS
