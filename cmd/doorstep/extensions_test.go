package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
	"github.com/google/go-cmp/cmp"
)

// A tableRow is a row of the table of extensions in README.md.
type tableRow struct {
	keyword     string
	lmtp, esmtp bool
	on          bool // without anything in the configuration
	tests       []string
}

// extensionTable reads the table.
func extensionTable(t *testing.T) []tableRow {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Extensions\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []tableRow
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if len(cells) != 6 || cells[0] == "Extension" {
			continue
		}
		row := tableRow{keyword: cells[0], lmtp: cells[2] == "yes", esmtp: cells[3] == "yes",
			on: strings.HasPrefix(cells[4], "on")}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[5], -1) {
			row.tests = append(row.tests, name[1])
		}
		if len(row.tests) == 0 && cells[5] != "every session" {
			t.Errorf("%s: no test", row.keyword)
		}
		rows = append(rows, row)
	}
	if len(rows) < 10 {
		t.Fatalf("%d rows in the table", len(rows))
	}
	return rows
}

// listed are the keywords of the rows for a protocol, in their order.
func listed(rows []tableRow, p lmtp.Protocol, want func(tableRow) bool) (keywords []string) {
	for _, r := range rows {
		if (p == lmtp.LMTP && r.lmtp || p == lmtp.ESMTP && r.esmtp) && want(r) {
			keywords = append(keywords, r.keyword)
		}
	}
	return keywords
}

// TestExtensionTable: what the table says is offered is what the hello offers, all of it and in
// that order.
func TestExtensionTable(t *testing.T) {
	rows := extensionTable(t)
	for _, p := range []lmtp.Protocol{lmtp.LMTP, lmtp.ESMTP} {
		t.Run(p.String(), func(t *testing.T) {
			everything := &lmtp.Server{
				Handler:  noMail{},
				Protocol: p,
				Extensions: lmtp.Extensions{BinaryMIME: true, MTPriority: true, RRVS: true,
					DSN: func() bool { return true }},
				TLS:   lmtp.TLS{Config: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}},
				Auth:  lmtp.Auth{Authenticator: plainAuth{}},
				Peers: lmtp.Peers{Trusted: func(net.Conn) bool { return true }},
			}
			plain, secure := offered(t, everything, true)
			var all []string
			for _, r := range rows {
				if slices.Contains(plain, r.keyword) || slices.Contains(secure, r.keyword) {
					all = append(all, r.keyword)
				}
			}
			if diff := cmp.Diff(listed(rows, p, func(tableRow) bool { return true }), all); diff != "" {
				t.Errorf("(-table +hello)\n%s", diff)
			}
			for _, keyword := range append(plain, secure...) {
				if !slices.Contains(all, keyword) {
					t.Errorf("%s is offered and not in the table", keyword)
				}
			}
			if slices.Contains(secure, "STARTTLS") || slices.Contains(plain, "REQUIRETLS") {
				t.Errorf("in the clear %v, under TLS %v", plain, secure)
			}
		})
	}
}

// What is on without a word in the configuration, and what the configuration turns on.
func TestExtensionsByConfiguration(t *testing.T) {
	rows := extensionTable(t)
	on := func(r tableRow) bool { return r.on }
	by := func(keywords ...string) func(tableRow) bool {
		return func(r tableRow) bool { return r.on || slices.Contains(keywords, r.keyword) }
	}
	const files = "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n[auth]\npasswd_file = \"users\"\n"
	for name, tt := range map[string]struct {
		listen, more string
		want         func(tableRow) bool
		secure       func(tableRow) bool // after STARTTLS; nil: there is none
	}{
		"defaults":         {"", "", on, nil},
		"tls":              {"tls = \"starttls\"\n", files, by("STARTTLS"), by("REQUIRETLS")},
		"auth":             {"auth = [\"SCRAM-SHA-256\"]\n", files, by("AUTH"), nil},
		"plain needs tls":  {"auth = [\"PLAIN\"]\ntls = \"starttls\"\n", files, by("STARTTLS"), by("REQUIRETLS", "AUTH")},
		"crlf":             {"", "[store]\nnewline = \"crlf\"\n", by("BINARYMIME"), nil},
		"priority":         {"mt_priority = true\n", "", by("MT-PRIORITY"), nil},
		"trusted":          {"trusted = [\"192.0.2.1\"]\n", "", by("XFORWARD", "XCLIENT", "IGNOREQUOTA"), nil},
		"others trusted":   {"trusted = [\"192.0.2.2\"]\n", "", on, nil},
		"owner_since":      {"", "[[user]]\naddress = \"b@dst.example\"\nowner_since = 2014-04-03\n", by("RRVS"), nil},
		"reports":          {"", "[submission]\nserver = \"unix:mta\"\noutbox = \"box\"\n", by("DSN"), nil},
		"no reports":       {"dsn = false\n", "[submission]\nserver = \"unix:mta\"\noutbox = \"box\"\n", on, nil},
		"limit of session": {"", "[limits]\ntransactions = 5\n", on, nil},
	} {
		for _, p := range []lmtp.Protocol{lmtp.LMTP, lmtp.ESMTP} {
			t.Run(name+" "+p.String(), func(t *testing.T) {
				dir := t.TempDir()
				t.Chdir(dir) // where the files are named from
				writeKeyPair(t)
				key := base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))
				users := "alice:{SCRAM-SHA-256}4096," + key + "," + key + "," + key + "\n"
				if err := os.WriteFile("users", []byte(users), 0o600); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, "doorstep.toml")
				text := "hostname = \"mx.dst.example\"\n[[listen]]\naddress = \"tcp:127.0.0.1:2424\"\nprotocol = \"" +
					strings.ToLower(p.String()) + "\"\n" + tt.listen + "[[domain]]\nname = \"dst.example\"\n" +
					"[[user]]\naddress = \"postmaster@dst.example\"\n" + tt.more
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				c, problems, err := config.Load(file)
				if err != nil || len(problems) > 0 {
					t.Fatal(err, problems)
				}
				log := slog.New(slog.DiscardHandler)
				s, err := build.Server(c, c.Listen[0], reports(t, c), nil, log)
				if err != nil {
					t.Fatal(err)
				}
				secrets, err := build.NewSecrets(c, log)
				if err != nil {
					t.Fatal(err)
				}
				if err := secrets.Secure(s, c.Listen[0]); err != nil {
					t.Fatal(err)
				}
				plain, secure := offered(t, s, tt.secure != nil)
				if diff := cmp.Diff(listed(rows, p, tt.want), plain); diff != "" {
					t.Errorf("(-table +hello)\n%s", diff)
				}
				if tt.secure == nil {
					return
				}
				if diff := cmp.Diff(listed(rows, p, tt.secure), secure); diff != "" {
					t.Errorf("under TLS (-table +hello)\n%s", diff)
				}
			})
		}
	}
}

// reports is a handler that sends reports where its configuration has an MTA for them, and takes no mail.
func reports(t *testing.T, c *config.Config) lmtp.Handler {
	if !c.Submission.IsOn() {
		return noMail{}
	}
	box, err := build.Outbox(c, nil, slog.New(slog.DiscardHandler))
	if err == nil {
		err = box.Prepare(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	agent := &delivery.Agent{}
	build.Report(agent, c, box)
	return agent
}

// The tests that the table names are there.
func TestExtensionTableNamesTests(t *testing.T) {
	var functions strings.Builder
	for _, pattern := range []string{"*_test.go", "../internal/e2e/*_test.go", "../../lmtp/*_test.go", "../../delivery/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			functions.Write(text)
		}
	}
	for _, r := range extensionTable(t) {
		for _, name := range r.tests {
			_, err := os.Stat(filepath.Join("../../testdata/sessions", name+".txt"))
			if err != nil && !strings.Contains(functions.String(), "\nfunc "+name+"(") {
				t.Errorf("%s: there is no session and no test %s", r.keyword, name)
			}
		}
	}
}

// offered says hello to s, and again under TLS, and returns the keywords of the replies.
func offered(t *testing.T, s *lmtp.Server, withTLS bool) (plain, secure []string) {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(fakeRemote{server})
	}()
	defer func() { client.Close(); <-done }()
	client.SetDeadline(time.Now().Add(30 * time.Second))
	verb := map[lmtp.Protocol]string{lmtp.LMTP: "LHLO", lmtp.ESMTP: "EHLO"}[s.Protocol]
	replies := bufio.NewReader(client)
	read := func() []string {
		t.Helper()
		r, err := lmtptest.ReadReply(replies)
		if err != nil {
			t.Fatal(err)
		}
		return r.Lines
	}
	read()
	io.WriteString(client, verb+" c.example\r\n")
	plain = keywords(read())
	if !withTLS {
		return plain, nil
	}
	io.WriteString(client, "STARTTLS\r\n")
	read()
	secured := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	replies = bufio.NewReader(secured)
	io.WriteString(secured, verb+" c.example\r\n")
	secure = keywords(read())
	return plain, secure
}

func keywords(lines []string) (all []string) {
	for _, line := range lines[1:] {
		keyword, _, _ := strings.Cut(line[len("250-"):], " ")
		all = append(all, keyword)
	}
	return all
}

// fakeRemote is a connection from 192.0.2.1.
type fakeRemote struct{ net.Conn }

func (fakeRemote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711} }

// noMail takes none.
type noMail struct{}

func (noMail) Mail(context.Context, *lmtp.Session, *lmtp.Envelope) (lmtp.Transaction, error) {
	return nil, &lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "no mail today"}
}

// plainAuth offers a mechanism that nobody uses.
type plainAuth struct{}

func (plainAuth) Mechanisms(*lmtp.Session) []string { return []string{"PLAIN"} }

func (plainAuth) Begin(context.Context, *lmtp.Session, string) lmtp.Exchange { return nil }

// writeKeyPair writes a certificate and its key to the working directory.
func writeKeyPair(t *testing.T) {
	t.Helper()
	pair := selfSigned(t)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"server.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "server.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// selfSigned is a certificate to shake hands with.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx.dst.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
