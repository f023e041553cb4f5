package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// given is a session that runs a command line, of a command with the flags of a
// promotion. Without words, no command is run yet.
func given(t *testing.T, words ...string) *Session {
	s := NewSession(genericiooptions.NewTestIOStreamsDiscard())
	if len(words) == 0 {
		return s
	}
	root := &cobra.Command{Use: "kubectl-promote", Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl promote"}, Args: cobra.ArbitraryArgs}
	s.Attach(root)
	for _, name := range []string{"plan", "status"} {
		c := &cobra.Command{Use: name, Args: cobra.ArbitraryArgs, RunE: func(*cobra.Command, []string) error { return nil }}
		if name == "plan" {
			var to, from string
			OnceVar(c.Flags(), &to, "to", "")
			OnceVar(c.Flags(), &from, "from", "")
			c.Flags().StringArray("image", nil, "")
			c.Flags().String("version", "", "")
			c.Flags().Bool("all", false, "")
			c.Flags().Bool("offline", false, "")
			c.Flags().Bool("commit", false, "")
		}
		root.AddCommand(c)
	}
	root.SetArgs(words)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return s
}

// What the libraries advise is worded here, beside a hint that needs no command.
func TestHintOfAdvice(t *testing.T) {
	for _, tc := range []struct {
		hint string
		do   promote.Action
		with map[string]string
		want string
		line []string // that was typed
	}{
		{"", promote.DoPromote, nil, "kubectl promote SERVICE --to ENVIRONMENT", nil},
		{"", promote.DoPromote, map[string]string{"service": "cart", "from": "dev", "to": "staging"}, "kubectl promote cart --from dev --to staging", nil},
		{"", promote.DoPromote, map[string]string{"from": "", "to": "dev"}, "kubectl promote SERVICE --from ENV --to dev", nil},
		{"", promote.DoPromote, map[string]string{"all": "true", "from": "qa", "to": "dev"}, "kubectl promote --all --from qa --to dev", nil},
		{"", promote.DoPromoteAll, map[string]string{"to": "dev"}, "kubectl promote --all --to dev, or kubectl promote SERVICE --to dev", nil},
		// An approval of what comes in from outside is planned with what comes in.
		{"", promote.DoApprove, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote approve cart --version v2 --to dev --key FILE", []string{"plan", "cart", "--to", "dev", "--version", "v2"}},
		{"", promote.DoApprove, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote approve cart --to dev --key FILE", []string{"plan", "cart", "--to", "dev"}},
		{"", promote.DoAddMissing, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote cart --to dev --add-missing", nil},
		{"", promote.DoAllowTime, nil, "kubectl promote SERVICE --to ENVIRONMENT --timeout 1m0s", nil},
		{"", promote.DoStatus, nil, "kubectl promote status", nil},
		{"", promote.DoCopy, map[string]string{"source": "a/cart:v1@sha256:1", "target": "b/cart:v1"}, "kubectl promote copy a/cart:v1@sha256:1 b/cart:v1", nil},
		{"", promote.DoPin, map[string]string{"overlay": "a/b"}, "kubectl promote set IMAGE:TAG -k a/b", nil},
		{"", promote.DoPin, map[string]string{"overlay": "a/b", "image": "web"}, "kubectl promote set 'web=*:VERSION' -k a/b", nil},
		// -k takes a directory: a hint with a file behind it could not be followed.
		{"", promote.DoPin, map[string]string{"file": "a/values.yaml"}, "kubectl promote set IMAGE:TAG -f a/values.yaml", nil},
		{"", lock.DoLock, map[string]string{"ref": "a:1", "lock": "images.lock"}, "kubectl promote resolve a:1 --lock images.lock", nil},
		{"", lock.DoUpdateLock, map[string]string{"lock": "images.lock"}, "kubectl promote resolve --lock images.lock --update", nil},
		{"", lock.DoUpdateLock, map[string]string{"lock": "l", "before": "remove it and run"}, "remove it and run kubectl promote resolve --lock l --update", nil},
		{"mend it", "", nil, "mend it", nil},
		{"mend it", "from a newer library", nil, "mend it", nil},

		// What was typed is typed again, with the one thing changed.
		{"", promote.DoAskRegistry, nil, "kubectl promote plan cart web --to dev -C .", []string{"plan", "cart", "web", "--to", "dev", "--offline", "-C", "."}},
		{"git switch BRANCH", promote.DoNotCommit, nil, "git switch BRANCH, or kubectl promote plan cart --to dev --commit=false", []string{"plan", "cart", "--to=dev", "--commit"}},
		{"", promote.DoNotCommit, nil, "kubectl promote plan cart --to dev --commit=false", []string{"plan", "cart", "--to=dev"}},
		{"pin them alike", promote.DoChooseImages, nil, "pin them alike, or kubectl promote plan --all --to dev --image IMAGE", []string{"plan", "--all", "--to", "dev"}},
		{"", promote.DoPromote, map[string]string{"from": "qa", "to": "dev"}, "kubectl promote plan cart --from qa --to dev --image 'it'\\''s'", []string{"plan", "cart", "--from", "x", "--to", "dev", "--image", "it's"}},
		{"", promote.DoPromoteAll, map[string]string{"to": "dev"}, "kubectl promote plan --to dev --all, or kubectl promote plan cart --to dev", []string{"plan", "cart", "--to", "dev", "--all"}},
		{"", promote.DoAllowTime, nil, "kubectl promote plan cart --to dev --timeout 4s", []string{"plan", "cart", "--to", "dev", "--timeout", "2s"}},
		{"", promote.DoAddMissing, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote cart --to dev --add-missing", []string{"status"}},
		{"", promote.DoAddMissing, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote plan cart --to dev --add-missing", []string{"plan", "--all", "--to", "dev"}},
		{"", promote.DoStatus, nil, "kubectl promote status -C ..", []string{"plan", "cart", "--to", "dev", "-C", ".."}},
		{"git commit a, or git stash", "", nil, "git -C .. commit a, or git -C .. stash", []string{"status", "-C", ".."}},
		{"git add a && git commit", "", nil, "git -C .. add a && git -C .. commit", []string{"status", "-C", ".."}},
		{"git clone x", "", nil, "git clone x", []string{"status", "-C", ".."}},
		{"", imagecopy.DoWithoutSignatures, nil, "kubectl promote status --without-signatures", []string{"status"}},
	} {
		err := fmt.Errorf("around: %w", &promote.Error{Msg: "bad", Hint: tc.hint, Advice: promote.Advice{Do: tc.do, With: tc.with}})
		if got := given(t, tc.line...).HintOf(err); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.do, got, tc.want)
		}
	}
	if got := given(t).HintOf(errors.New("bad")); got != "" {
		t.Errorf("got %q", got)
	}
}
