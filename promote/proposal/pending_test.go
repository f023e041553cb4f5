package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// found is a forge that has pull requests by their heads, and nothing else.
type found struct {
	forge.Forge
	by map[string]forge.PullRequest
}

func (f found) Find(_ context.Context, r forge.FindRequest) ([]forge.PullRequest, error) {
	if r.Head == "promote/staging/broken" {
		return nil, errors.New("the forge is down")
	}
	if pr, ok := f.by[r.Head]; ok && pr.Base == r.Base {
		return []forge.PullRequest{pr}, nil
	}
	return nil, nil
}

func TestFindPending(t *testing.T) {
	record := "text\n\n```\nPromotion-Service: cart\nPromotion-From: staging\nPromotion-To: production\nPromotion-Service: web\nPromotion-To: production\nPromotion-Service: other\nPromotion-To: dev\n```\n"
	f := found{by: map[string]forge.PullRequest{
		"promote/production/2-services-1": {Number: 1, Base: "main", Title: "two", Body: record},
		"rollback/production/cart":        {Number: 2, Base: "main", Body: "somebody has taken it out", Draft: true},
		"promote/production/elsewhere":    {Number: 3, Base: "next"},
		"feature/production/cart":         {Number: 4, Base: "main"},
		"promote/production":              {Number: 5, Base: "main"},
	}}
	all, left, err := FindPending(t.Context(), f, "main", []string{"main", "promote/production/2-services-1", "promote/production/elsewhere", "promote/production", "feature/production/cart", "rollback/production/cart"})
	if err != nil || len(all) != 2 || left != 0 {
		t.Fatalf("got %+v, %v", all, err)
	}
	if one := all[0]; one.Number != 1 || one.Environment != "production" || !slices.Equal(one.Services, []string{"cart", "web"}) || one.Rollback {
		t.Errorf("got %+v", one)
	}
	if two := all[1]; two.Number != 2 || len(two.Services) != 0 || !two.Rollback || !two.Draft {
		t.Errorf("got %+v", two)
	}
	if _, _, err := FindPending(t.Context(), f, "main", []string{"promote/staging/broken"}); err == nil {
		t.Error("what the forge cannot say is taken for none")
	}
}

// What is not asked about is told: a board without it is no board without pull requests.
func TestFindPendingMany(t *testing.T) {
	var heads []string
	for n := range mostPending + 3 {
		heads = append(heads, fmt.Sprintf("promote/production/%d", n), fmt.Sprintf("feature/production/%d", n))
	}
	if _, left, err := FindPending(t.Context(), found{}, "main", heads); err != nil || left != 3 {
		t.Errorf("%d left, %v", left, err)
	}
}

func TestRecordIn(t *testing.T) {
	for _, body := range []string{"", "```", "```\n```", "no fence\n", "```\nPromotion-Service: cart", "\n```\nPromotion-To: production\n```\nmore\n"} {
		if got := recordIn(body); len(got) > 0 {
			t.Errorf("%q: got %+v", body, got)
		}
	}
	if got := recordIn("a\r\n```\r\nPromotion-Service: cart\r\nPromotion-To: production\r\n```\r\n"); len(got) != 1 || got[0].Service != "cart" || got[0].To != "production" {
		t.Errorf("got %+v", got)
	}
}
