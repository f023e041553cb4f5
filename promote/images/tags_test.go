package images_test

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/images"
)

// One repository is listed once for all that ask by one rule, and each hears whether
// that would be a way back. What is not there, and what cannot be asked, are two answers.
func TestTagsNewest(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tag := range []string{"v1.2.0", "v1.10.0", "v2.0.0"} {
		ref, err := name.NewTag(host + "/shop/cart:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, empty.Image); err != nil {
			t.Fatal(err)
		}
	}
	finder := images.NewTags(digest.NewResolver(digest.Options{}))
	ask := func(repository, rule, now string) promote.NewestQuestion {
		return promote.NewestQuestion{Repository: repository, Rule: rule, RuleAt: "admit.newest", Now: now}
	}
	done := 0
	got, err := finder.Newest(t.Context(), []promote.NewestQuestion{
		ask(host+"/shop/cart", "semver:1.x", "v1.2.0"), ask(host+"/shop/cart", "semver:1.x", "v2.0.0"),
		ask(host+"/shop/cart", "semver:>=3", ""), ask(host+"/shop/none", "semver:1.x", ""), ask("127.0.0.1:1/x", "semver:1.x", ""),
	}, func() { done++ })
	if err != nil || done != 5 {
		t.Fatalf("%v, told of %d", err, done)
	}
	for i := range got {
		got[i].Reason = strings.ReplaceAll(got[i].Reason, host, "HOST")
	}
	why := "v1.10.0: highest of 2 tags in 1.x; not considered: 1 outside the range"
	want := []promote.NewestTag{
		{Answer: promote.Pass, Tag: "v1.10.0", Why: why},
		{Answer: promote.Pass, Tag: "v1.10.0", Why: why, Older: true},
		{Answer: promote.Fail, Reason: `HOST: "shop/cart": no tag for "semver:>=3": not considered: 3 outside the range`},
		{Answer: promote.Fail, Reason: `HOST: repository "shop/none" not found`},
	}
	if diff := cmp.Diff(want, got[:4]); diff != "" {
		t.Error(diff)
	}
	if got[4].Answer != promote.Unknown || got[4].Reason == "" {
		t.Errorf("%+v", got[4])
	}
	_, err = finder.Newest(t.Context(), []promote.NewestQuestion{ask(host+"/shop/cart", "semvr:1", "")}, func() {})
	if err == nil || err.Error() != `admit.newest: selector "semvr:1": byte 1: unknown order "semvr"` {
		t.Error(err)
	}
}
