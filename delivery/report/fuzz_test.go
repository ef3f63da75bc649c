package report_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nettextproto "net/textproto"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/report"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"
	"github.com/google/go-cmp/cmp"
)

// DSN-23: whatever a client sends, a report has three parts of the right types, each field once and no other, no octet
// that ends a line or a field, and the header of the message as it came. Two readers find the same.
func FuzzReport(f *testing.F) {
	f.Add("s@src.example", "u1@dst.example", "rfc822;a+2Bb@c", "QQ+2B1", []byte("Subject: x\n"))
	f.Add("josé@b", `"a\"b"@dst.example`, `utf-8;\x{7528}@b`, "x", []byte("Subject: \xfc\x00\r\rX\n--\n"))
	f.Add("jos\u0085é@b", "u\u20281@dst.example", `utf-8;a\x{202E}b@c`, "", []byte("Message-ID: <a@b>\r\n c\r\n"))
	f.Add("é@b", "\u2028@0", `utf-8;a\x{202E}b@c`, "", []byte("Subject: x\n"))
	f.Add(`"a, b"@c`, "用户@bücher.example", "x-other;+E9", "a+20b", []byte("From: x\r\n\r\nbody"))
	f.Fuzz(func(t *testing.T, sender, final, orcpt, envid string, header []byte) {
		from, err := address.Parser{UTF8: true}.ReversePath(sender)
		if err != nil || from.IsNull() || len(sender) > 512 {
			return
		}
		to, err := address.Parser{UTF8: true}.ForwardPath(final)
		if err != nil || to.IsNull() || len(final) > 512 {
			return
		}
		id, _ := address.DecodeXtext(envid)
		if strings.ContainsFunc(id, above7bit) || len(id) > 900 || len(header) > 32<<10 {
			return
		}
		original, _ := address.ParseORCPT(orcpt)
		d := delivered(t, "s@src.example")
		d.Sender, d.Header, d.EnvelopeID = from, header, id
		d.Recipients = []report.Recipient{{Final: to, Original: original}, {Final: to}}
		m, err := d.Message(everything, now, "id@mx.dst.example")
		if err != nil {
			return
		}
		content, err := io.ReadAll(m.Content)
		if err != nil {
			t.Fatal(err)
		}
		checkReport(t, content, header)
	})
}

// outerFields are those of a report, and which of them it may lack.
var outerFields = map[string]bool{"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true,
	"Auto-Submitted": true, "Mime-Version": true, "Content-Type": true, "In-Reply-To": false, "References": false,
	"Content-Transfer-Encoding": false}

// statusFields are those of the two kinds of groups that programs read, and which of them a group may lack.
var statusFields = []map[string]bool{
	{"Original-Envelope-Id": false, "Reporting-Mta": true, "Arrival-Date": true},
	{"Original-Recipient": false, "Final-Recipient": true, "Action": true, "Status": true},
}

func checkReport(t *testing.T, content, header []byte) {
	t.Helper()
	for line := range bytes.Lines(content) {
		if len(line) > 1000 || !bytes.HasSuffix(line, []byte("\r\n")) || bytes.Contains(line[:len(line)-2], []byte("\r")) {
			t.Fatalf("line %q", line)
		}
	}
	r, h := readReport(t, string(content))
	if len(r.parts) != 3 || r.kind != "multipart/report" {
		t.Fatalf("%s of %d parts: %q", r.kind, len(r.parts), content)
	}
	checkFields(t, "header", outerFields, h.Header)
	groups := strings.Split(strings.TrimSuffix(r.parts[1], "\r\n"), "\r\n\r\n")
	if len(groups) != 3 {
		t.Fatalf("%d groups: %q", len(groups), r.parts[1])
	}
	for i, group := range groups {
		fields, err := textproto.ReadHeader(bufio.NewReader(strings.NewReader(group + "\r\n\r\n")))
		if err != nil {
			t.Fatalf("%v: %q", err, group)
		}
		checkFields(t, "group", statusFields[min(i, 1)], fields)
	}
	if diff := cmp.Diff(canonical(header), r.parts[2]); diff != "" {
		t.Fatalf("returned header: %s", diff)
	}
	if python := startPython(); python != nil {
		python.check(t, content, r, h)
	}
}

// canonical has CRLF line ends, whatever they were.
func canonical(text []byte) string {
	unix := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))
	return strings.ReplaceAll(unix, "\n", "\r\n")
}

// checkFields wants each field once, those that must be there, and no other.
func checkFields(t *testing.T, what string, known map[string]bool, h textproto.Header) {
	t.Helper()
	counts := map[string]int{}
	for fields := h.Fields(); fields.Next(); {
		name := fields.Key()
		counts[name]++
		if _, ok := known[name]; !ok || counts[name] > 1 || address.HasControl(fields.Value()) {
			t.Fatalf("%s has %q: %q", what, name, fields.Value())
		}
	}
	for name, must := range known {
		if must && counts[name] == 0 {
			t.Fatalf("%s has no %s", what, name)
		}
	}
}

// A python is a process that reads reports with Python's package email.
type python struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// The program reads a number of octets, and so many octets of a message, again and again.
const pythonProgram = `
import email, email.policy, json, sys
read = sys.stdin.buffer
while True:
    line = read.readline()
    if not line: break
    m = email.message_from_bytes(read.read(int(line)), policy=email.policy.default)
    p = m.get_payload() if m.is_multipart() else []
    status = []
    if len(p) == 3 and p[1].get_content_type() == "message/delivery-status" and p[1].is_multipart():
        status = [[k for k in g.keys()] for g in p[1].get_payload()]
    print(json.dumps({"kind": m.get_content_type(), "report": str(m.get_param("report-type")), "fields": m.keys(),
        "kinds": [q.get_content_type() for q in p], "defects": [str(d) for d in m.defects], "status": status}), flush=True)
`

// startPython starts it, once; nil: there is none.
var startPython = sync.OnceValue(func() *python {
	path, err := exec.LookPath("python3")
	if err != nil {
		return nil
	}
	cmd := exec.Command(path, "-c", pythonProgram)
	in, err := cmd.StdinPipe()
	if err != nil {
		panic(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil { // it ends with its input
		panic(err)
	}
	return &python{in: in, out: bufio.NewReader(out)}
})

// check wants it to read what go-message does.
func (p *python) check(t *testing.T, content []byte, r read, h message.Header) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var got struct {
		Kind, Report           string
		Fields, Kinds, Defects []string
		Status                 [][]string
	}
	_, err := fmt.Fprintf(p.in, "%d\n%s", len(content), content)
	line, cannot := p.out.ReadBytes('\n')
	if err := errors.Join(err, cannot); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	var fields, kinds []string
	for f := h.Fields(); f.Next(); {
		fields = append(fields, f.Key())
	}
	for i, name := range got.Fields {
		got.Fields[i] = nettextproto.CanonicalMIMEHeaderKey(name)
	}
	for _, kind := range r.kinds {
		kind, _, _ = strings.Cut(kind, " ")
		kinds = append(kinds, kind)
	}
	_, params, _ := h.ContentType()
	if diff := cmp.Diff(fields, got.Fields); diff != "" || len(got.Defects) > 0 || got.Kind != r.kind ||
		got.Report != params["report-type"] || !slices.Equal(kinds, got.Kinds) {
		t.Fatalf("Python reads %s\n%s\n%q", line, diff, content)
	}
	if kinds[1] != "message/delivery-status" || strings.HasSuffix(r.kinds[1], "base64") {
		return
	}
	groups := strings.Split(strings.TrimSuffix(r.parts[1], "\r\n"), "\r\n\r\n")
	if len(got.Status) != len(groups) {
		t.Fatalf("Python reads groups %q\n%q", got.Status, content)
	}
	for i, group := range groups {
		if len(got.Status[i]) != strings.Count(group, "\r\n")+1 {
			t.Fatalf("Python reads group %q\n%q", got.Status[i], group)
		}
	}
}

// TestPythonReads: a reader that is not of our own language finds the same, also in CI, where it is installed.
func TestPythonReads(t *testing.T) {
	if startPython() == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is not there")
		}
		t.Skip("python3 is not there")
	}
	for _, sender := range []string{"s@src.example", "josé@src.example"} {
		for _, to := range []string{"u1@dst.example", "用户@bücher.example"} {
			for _, header := range []string{"Subject: x\r\n", "Subject: ü\r\n", "Subject: \xfc\x00\r\n"} {
				d := delivered(t, sender, to, to)
				d.Header = []byte(header)
				_, content := written(t, d, everything)
				checkReport(t, []byte(content), d.Header)
			}
		}
	}
}
