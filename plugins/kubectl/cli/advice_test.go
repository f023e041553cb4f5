package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/promote"
)

// What the libraries advise is worded here, beside a hint that needs no command.
func TestHintOfAdvice(t *testing.T) {
	for _, tc := range []struct {
		hint string
		do   promote.Action
		with map[string]string
		want string
	}{
		{"", promote.DoPromote, nil, "kubectl promote SERVICE --to ENVIRONMENT"},
		{"", promote.DoPromote, map[string]string{"service": "cart", "from": "dev", "to": "staging"}, "kubectl promote cart --from dev --to staging"},
		{"", promote.DoPromote, map[string]string{"from": "", "to": "dev"}, "kubectl promote SERVICE --from ENV --to dev"},
		{"", promote.DoPromoteAll, map[string]string{"to": "dev"}, "kubectl promote --all --to dev, or the services without --all"},
		{"", promote.DoAddMissing, map[string]string{"service": "cart", "to": "dev"}, "kubectl promote cart --to dev --add-missing"},
		{"pin them alike", promote.DoChooseImages, nil, "pin them alike, or promote with --image"},
		{"", promote.DoAskRegistry, nil, "promote without --offline"},
		{"git switch BRANCH", promote.DoNotCommit, nil, "git switch BRANCH, or promote with --commit=false"},
		{"", promote.DoAllowTime, nil, "a longer --timeout"},
		{"", promote.DoStatus, nil, "kubectl promote status, to see which overlays there are"},
		{"", promote.DoPin, map[string]string{"overlay": "a/b"}, "kubectl promote set IMAGE:TAG -k a/b"},
		{"", promote.DoPin, map[string]string{"overlay": "a/b", "image": "web"}, "kubectl promote set web=*:VERSION -k a/b"},
		// -k takes a directory: a hint with a file behind it could not be followed.
		{"", promote.DoPin, map[string]string{"file": "a/values.yaml"}, "kubectl promote set IMAGE:TAG -f a/values.yaml"},
		{"", promote.DoPromote, map[string]string{"all": "true", "from": "qa", "to": "dev"}, "kubectl promote --all --from qa --to dev"},
		{"", lock.DoLock, map[string]string{"ref": "a:1", "lock": "images.lock"}, "kubectl promote resolve a:1 --lock images.lock"},
		{"", lock.DoUpdateLock, map[string]string{"lock": "images.lock"}, "kubectl promote resolve --lock images.lock --update"},
		{"", lock.DoUpdateLock, map[string]string{"lock": "l", "before": "remove it and run"}, "remove it and run kubectl promote resolve --lock l --update"},
		{"", imagecopy.DoWithoutSignatures, nil, "copy with --without-signatures, if nothing is attached to the image"},
		{"mend it", "", nil, "mend it"},
		{"mend it", "from a newer library", nil, "mend it"},
	} {
		err := fmt.Errorf("around: %w", &promote.Error{Msg: "bad", Hint: tc.hint, Advice: promote.Advice{Do: tc.do, With: tc.with}})
		if got := HintOf(err); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.do, got, tc.want)
		}
	}
	if got := HintOf(errors.New("bad")); got != "" {
		t.Errorf("got %q", got)
	}
}
