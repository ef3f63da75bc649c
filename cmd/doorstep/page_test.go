package main

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestStatusPage looks at the page of a running server in Chromium: what is delivered meanwhile is
// drawn, the page brings itself up to date, it says so when the server has gone, and nothing is said
// on the console.
func TestStatusPage(t *testing.T) {
	dir := place(t)
	address := "127.0.0.1:" + peer.FreePort(t)
	s := serveConfig(t, dir, plainConfig("[admin]\naddress = \"tcp:"+address+"\"\n"))
	s.awaitLog(t, "admin listener")
	url := "http://" + address + "/"
	b := peer.StartBrowser(t)
	for _, scheme := range []string{"light", "dark"} {
		b.Open(url, scheme, 1000, 800)
		if !peer.Value[bool](b, `document.querySelector(".state").textContent == "ready" && matchMedia("(prefers-color-scheme: `+scheme+`)").matches`) {
			t.Errorf("%s: the page does not say that the server is ready", scheme)
		}
	}
	before := peer.Value[string](b, drawn("delivered")+` + `+drawn("refused"))

	for range 5 {
		deliverOne(t, dir)
	}
	c := session(t, dir)
	c.say("MAIL FROM:<a@src.example>", "250")
	c.say("RCPT TO:<nobody@example.org>", "550")
	c.say("QUIT", "221")
	// An interval is drawn when it is over. The page asks when it is looked at again.
	refresh := `document.dispatchEvent(new Event("visibilitychange"))`
	b.Await(`(` + refresh + `, document.body.textContent.includes("nobody@example.org"))`)
	for _, name := range []string{"delivered", "refused"} {
		b.Await(`(` + refresh + `, ` + drawn(name) + ` != "" && document.querySelector("path.area.` + name +
			`").getBBox().height > 50)`)
	}
	b.Await(`(` + refresh + `, document.querySelector("path.line.p99").getAttribute("d") != "")`)
	if after := peer.Value[string](b, drawn("delivered")+` + `+drawn("refused")); after == before {
		t.Error("the charts are as before")
	}
	if text := peer.Value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text,
		"alice@example.org") || !strings.Contains(text, "no such mailbox here") {
		t.Errorf("the page says\n%s", text)
	}
	if rows := peer.Value[int](b, `(document.querySelector("details").open = true, document.querySelectorAll("#configuration tr").length)`); rows < 20 {
		t.Errorf("%d rows of configuration", rows)
	}
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
	for _, request := range b.Requests() {
		if !strings.HasPrefix(request, url) && !strings.HasPrefix(request, "data:") {
			t.Errorf("the page asks for %s", request)
		}
	}
	s.kill()
	b.Await(`(` + refresh + `, !document.getElementById("stale").hidden)`)
}

// drawn is the drawing of an area.
func drawn(name string) string {
	return `document.querySelector("path.area.` + name + `").getAttribute("d")`
}
