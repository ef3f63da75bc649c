package admin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

var screenshots = flag.Bool("screenshots", false, "write the pictures of docs/status anew")

// looks are the ways that the page is looked at.
var looks = []struct {
	name, scheme  string
	width, height int64
}{
	{"light", "light", 1000, 900},
	{"dark", "dark", 1000, 900},
	{"phone", "dark", 390, 900},
}

// TestPageInBrowser looks at a busy hour in Chromium: the charts are drawn, nothing sticks out, on a
// phone either, and the colors follow what the reader wants and can be read.
func TestPageInBrowser(t *testing.T) {
	web := httptest.NewServer(busy().Handler())
	defer web.Close()
	b := peer.StartBrowser(t)
	for _, look := range looks {
		b.Open(web.URL, look.scheme, look.width, look.height)
		for _, path := range []string{"path.area.delivered", "path.line.p50", "path.line.p99", "path.area.deferred",
			"path.area.refused"} {
			box := peer.Value[[]float64](b,
				`(r => [r.width, r.height])(document.querySelector("`+path+`").getBoundingClientRect())`)
			if box[0] < 200 || box[1] < 10 {
				t.Errorf("%s: %s is drawn as %v pixels", look.name, path, box)
			}
		}
		if over := peer.Value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("%s: the page is %d pixels wider than the window", look.name, over)
		}
		for _, words := range []string{"main", ".figures span", "figcaption span", "th", "td", ".default td", ".good", ".bad",
			".scale li", "footer p"} {
			ratio := contrast(
				peer.Value[[]float64](b, color(words, "color")), peer.Value[[]float64](b, ground(words)))
			if ratio < 4.5 { // WCAG 2.2 §1.4.3
				t.Errorf("%s: contrast of %s is %.1f", look.name, words, ratio)
			}
		}
		dark := luminance(peer.Value[[]float64](b, ground("main"))) < .2
		if dark != (look.scheme == "dark") {
			t.Errorf("%s: dark %v", look.name, dark)
		}
		if *screenshots {
			file := filepath.Join("..", "..", "..", "docs", "status", look.name+".png")
			if err := os.WriteFile(file, b.Screenshot(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, web.URL+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asks for %s", url)
		}
	}
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
}

// color returns a color of an element as numbers.
func color(selector, property string) string {
	return `getComputedStyle(document.querySelector("` + selector + `")).` + property +
		`.match(/[\d.]+/g).slice(0, 3).map(Number)`
}

// ground returns the color behind an element: the first that is not transparent, going outwards.
func ground(selector string) string {
	return `(e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor.match(/[\d.]+/g).map(Number);
			if (c.length == 3 || c[3] == 1) return c.slice(0, 3)
		}
		return [255, 255, 255]
	})(document.querySelector("` + selector + `"))`
}

// luminance and contrast are those of WCAG 2.2.
func luminance(rgb []float64) float64 {
	linear := func(v float64) float64 {
		if v /= 255; v <= .04045 {
			return v / 12.92
		}
		return math.Pow((v+.055)/1.055, 2.4)
	}
	return .2126*linear(rgb[0]) + .7152*linear(rgb[1]) + .0722*linear(rgb[2])
}

func contrast(a, b []float64) float64 {
	la, lb := luminance(a)+.05, luminance(b)+.05
	return max(la, lb) / min(la, lb)
}

// busy is a server whose last hour is made up: waves of mail, a disk that was slow for
// some minutes, and a database that failed once.
func busy() *Server {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	board := status.New(func() time.Time { return now })
	board.Serve([]string{"users", "accounts"})
	dice := rand.New(rand.NewPCG(1, 2))
	people := []string{"alice", "bob", "carol", "łukasz", "josé", "postmaster", "sales", "dave", "erin", "frank", "grace",
		"heidi"}
	full := &lmtp.Error{Code: 452, Enhanced: "4.2.2", Text: "mailbox is full", Rule: "quota"}
	nobody := &lmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox here", Rule: "account"}
	slow := &lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "delivery takes too long, try again later", Rule: "timeout",
		Cause: errors.New("sync /srv/mail/example.org/bob/Maildir/new: context deadline exceeded")}
	deliver := func(local string, took time.Duration, err error) {
		o := delivery.Outcome{Session: mta, Transaction: fmt.Sprintf("k3n5q%04x.1", dice.IntN(1<<16)),
			To: address.Address{Local: local, Domain: "example.org"}, Size: 4000 + dice.Int64N(20000), Took: took, Err: err}
		if err != error(nobody) {
			o.Mailbox = local + "@example.org"
		}
		board.Outcome(o)
	}
	for i := range status.Points {
		wave := 12 + 8*math.Sin(float64(i)/25) + 3*math.Sin(float64(i)/4)
		trouble := i > 215 && i < 240
		for range int(wave * status.Interval.Seconds()) {
			took := time.Duration(2.5e6 * math.Exp(dice.NormFloat64()*.45))
			if trouble {
				took *= 12
			}
			deliver(people[dice.IntN(len(people))], took, nil)
		}
		for range dice.IntN(9) {
			deliver(fmt.Sprintf("info%d", dice.IntN(50)), 0, nobody)
		}
		if dice.IntN(12) == 0 {
			deliver("carol", 0, full)
		}
		if trouble {
			deliver("bob", 8*time.Second, slow)
		}
		board.LookedUp("users", 900*time.Nanosecond, directory.ErrNotFound)
		var down error
		if i == 120 {
			down = errors.New("dial tcp 192.0.2.40:5432: connect: connection refused")
		}
		board.LookedUp("accounts", time.Duration(400+dice.IntN(300))*time.Microsecond, down)
		now = now.Add(status.Interval)
	}
	for range 5 {
		board.SessionBegan(mta)
	}
	board.CopiesBegan(3)
	return &Server{
		Metrics: http.NotFoundHandler(),
		Status: func(context.Context) *status.Snapshot {
			s := board.Snapshot()
			s.Version, s.Hostname, s.PID, s.Ready = "0.1.0", "mail.example.org", 812, true
			s.Problems = nil
			s.Disk = &status.Disk{Path: "/srv/mail", Free: 410 << 30, Size: 930 << 30}
			s.Settings = []status.Setting{{Key: "hostname", Value: `"mail.example.org"`},
				{Key: "limits.recipients", Value: "1000", Default: true}}
			// One that fails now, to be seen.
			s.Directories = append(s.Directories,
				status.Directory{Backend: "ldap", Lookups: 12, Errors: 12, LastError: "no route to host", ErrorAt: s.Now})
			return s
		},
		Ready: func(context.Context) []string { return nil },
		Trace: &trace.Hub{}, Local: true, Log: slog.New(slog.DiscardHandler),
	}
}
