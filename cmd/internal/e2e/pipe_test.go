package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestPostfixPipe runs the recipe for a pipe: mail is delivered, also from the null path, an unknown recipient
// bounces, and where no process may be forked the mail stays in the queue.
func TestPostfixPipe(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	s := openSite(t)
	program := filepath.Join(filepath.Dir(s.store), "doorstep")
	script, err := filepath.Abs("../../../dist/deliver")
	if err != nil {
		t.Fatal(err)
	}
	service := recipe(t, "docs/recipes.md", "pipe of Postfix")
	pipe := func(name, before string) string {
		return strings.NewReplacer("doorstep  unix", name+"  unix", "user=vmail", "user=mail", "/usr/lib/doorstep/deliver",
			"/usr/bin/env DOORSTEP="+program+" "+before+script+" -c "+program+".toml").Replace(service)
	}
	p := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "doorstep", Domains: []string{"dst.example"},
		Params: []string{"doorstep_destination_recipient_limit = 1",
			"transport_maps = inline:{ { " + goodB + " = starved: } }"},
		Services: []string{pipe("doorstep", ""), pipe("starved", "/usr/bin/prlimit --nproc=1 ")},
	})
	p.Submit("sender@src.example", goodA, "Subject: piped\n\ntext\n")
	p.Submit("", goodA, "Subject: piped\n\ntext\n")
	p.Submit("", unknownC, "Subject: piped\n\ntext\n")
	p.Submit("sender@src.example", goodB, "Subject: piped\n\ntext\n")
	// One is tried again and again, which is why it does not suffice to count attempts.
	peer.Await(t, time.Minute, "an attempt for each", func() bool {
		list := p.Deliveries()
		return count(list, goodA) >= 2 && count(list, unknownC) > 0 && count(list, goodB) > 0
	})
	checkReturnPaths(t, s, []string{"<sender@src.example>", "<>"})
	for _, d := range p.Deliveries() {
		want := map[string]string{goodA: "sent", unknownC: "bounced", goodB: "deferred"}[d.To]
		if d.Status != want {
			t.Errorf("%+v, want %s", d, want)
		}
	}
}
