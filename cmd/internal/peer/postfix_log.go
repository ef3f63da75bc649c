package peer

import (
	"regexp"
	"strings"
)

// Log is the instance's log so far.
func (p *Postfix) Log() string {
	p.tb.Helper()
	return read(p.tb, p.path("log/mail"))
}

// A Delivery is what Postfix logged of one attempt for one recipient.
type Delivery struct {
	Queue  string // queue id
	To     string
	Relay  string
	DSN    string // enhanced status code: "2.0.0", "5.1.1"
	Status string // sent, bounced, deferred
	Text   string // what the server said
}

// An example, on one line: "… postfix/lmtp[7]: 4D2A1: to=<a@b.example>, relay=mx[/run/s],
// delay=0.1, delays=0/0/0/0, dsn=5.1.1, status=bounced (host mx said: 550 5.1.1 … )".
var deliveryLine = regexp.MustCompile(`: ([0-9A-Za-z]+): to=<(.*?)>,(?: orig_to=<.*?>,)? relay=(.*?), .*dsn=([0-9.]+), status=(\w+) \((.*)\)`)

// Deliveries are all attempts so far, in order.
func (p *Postfix) Deliveries() []Delivery {
	p.tb.Helper()
	var list []Delivery
	for line := range strings.Lines(p.Log()) {
		if m := deliveryLine.FindStringSubmatch(line); m != nil {
			list = append(list, Delivery{m[1], m[2], m[3], m[4], m[5], m[6]})
		}
	}
	return list
}

// Complaints are the lines of the log at level warning and above.
func (p *Postfix) Complaints() []string {
	p.tb.Helper()
	var list []string
	for line := range strings.Lines(p.Log()) {
		for _, level := range []string{": warning: ", ": error: ", ": fatal: ", ": panic: "} {
			if strings.Contains(line, level) {
				list = append(list, strings.TrimSpace(line))
			}
		}
	}
	return list
}
