package standing

import (
	"regexp"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
)

var digestPrefix = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{6,128}$`) })

// DigestPrefix reads a digest, or at least six of its first digits, as sha256:DIGITS.
func DigestPrefix(cmd *cobra.Command, text string) (string, error) {
	algorithm, digits, ok := strings.Cut(text, ":")
	if !ok {
		algorithm, digits = "sha256", text
	}
	if !digestPrefix().MatchString(digits) || algorithm != "sha256" && algorithm != "sha512" {
		return "", &cli.UsageError{Msg: "--digest " + cli.Clean(text) + " is no digest, nor the beginning of one", Hint: "--digest sha256:4de5636384d5", Command: cmd.CommandPath()}
	}
	return algorithm + ":" + digits, nil
}
