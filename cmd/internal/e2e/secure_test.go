package e2e_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A fortress is a running Doorstep whose listeners all want to know whom they speak with.
type fortress struct {
	dir                         string
	lmtp, esmtp, implicit, unix string // LMTP and ESMTP with STARTTLS, LMTP in TLS, LMTP on a socket
	process                     *peer.Process
}

const (
	fortressUser     = "mta"
	fortressPassword = "open sesame"
)

func openFortress(t *testing.T) *fortress {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run doorstep as another user")
	}
	dir := peer.MailDir(t)
	f := &fortress{
		dir:  dir,
		lmtp: "127.0.0.1:" + peer.FreePort(t), esmtp: "127.0.0.1:" + peer.FreePort(t),
		implicit: "127.0.0.1:" + peer.FreePort(t),
		unix:     filepath.Join(dir, "lmtp"),
	}
	ca := newCertificates(t, dir)
	ca.issue("server", "")
	ca.issue("client", "mta@src.example")
	f.own(t, "server.pem", "server.key", "ca.pem")
	c, err := scram.SHA256.NewClient(fortressUser, fortressPassword, "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "a salt of 16 oct", Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	f.write(t, "users", fmt.Sprintf("%s:{SCRAM-SHA-256}4096,%s,%s,%s\n", fortressUser, b64([]byte(stored.Salt)),
		b64(stored.StoredKey), b64(stored.ServerKey)))
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.own(t, "mail")

	const mechanisms = `auth = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN"]` + "\nrequire_auth = true\n"
	var b strings.Builder
	b.WriteString("hostname = \"store.example\"\npostmaster = \"alice@dst.example\"\n")
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\ntls = \"required\"\n%s", "tcp:"+f.lmtp, mechanisms)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nprotocol = \"esmtp\"\ntls = \"starttls\"\n%s", "tcp:"+f.esmtp, mechanisms)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\ntls = \"implicit\"\n%s", "tcp:"+f.implicit, mechanisms)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nmode = \"0666\"\nauth = [\"EXTERNAL\"]\nrequire_auth = true\n",
		"unix:"+f.unix)
	b.WriteString("[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclient_ca = " +
		"\"ca.pem\"\n[auth]\npasswd_file = \"users\"\n")
	fmt.Fprintf(&b, "[store]\npath = %q\n", dir+"/mail/{domain}/{local}")
	b.WriteString("[[domain]]\nname = \"dst.example\"\n[[user]]\naddress = \"alice@dst.example\"\n")
	f.process = peer.StartDoorstep(t, dir, b.String())
	t.Cleanup(func() {
		f.process.Stop()
		if err := f.process.Err(); err != nil || strings.Contains(f.process.Output(), "panic") ||
			strings.Contains(f.process.Output(), fortressPassword) {
			t.Errorf("doorstep ended with %v, or told a secret:\n%s", err, f.process.Output())
		}
	})
	peer.AwaitListener(t, f.process, "unix", f.unix)
	for _, addr := range []string{f.lmtp, f.esmtp, f.implicit} {
		peer.AwaitListener(t, f.process, "tcp", addr)
	}
	return f
}

// write writes a file that only Doorstep may read.
func (f *fortress) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.own(t, name)
}

func (f *fortress) own(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Chown(filepath.Join(f.dir, name), peer.MailUser, peer.MailUser); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fortress) path(name string) string { return filepath.Join(f.dir, name) }

// received are the Received fields of what alice got, unfolded, ours only, and checks that it is n.
func (f *fortress) received(t *testing.T, n int) []string {
	t.Helper()
	files, err := filepath.Glob(f.path("mail/dst.example/alice/new/*"))
	if err != nil || len(files) != n {
		t.Fatalf("%d messages, want %d: %v", len(files), n, err)
	}
	var fields []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(strings.ReplaceAll(string(text), "\n\t", " "), "Received: ")
		field, _, _ := strings.Cut(rest, "\n")
		fields = append(fields, field)
	}
	return fields
}

// wantReceived wants one message, by this protocol and with a cipher.
func (f *fortress) wantReceived(t *testing.T, with string) {
	t.Helper()
	field := f.received(t, 1)[0]
	if !strings.Contains(field, " with "+with+" id ") || strings.Contains(with, "S") &&
		!strings.Contains(field, " for <alice@dst.example> tls TLS_") {
		t.Errorf("want %s: %s", with, field)
	}
}

// Certificates of one test.
type certificates struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newCertificates(t *testing.T, dir string) *certificates {
	t.Helper()
	c := &certificates{t: t, dir: dir}
	c.root = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotAfter: time.Now().Add(24 * time.Hour),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c.key = c.issueOf("ca", c.root)
	return c
}

// issue makes NAME.pem and NAME.key.
func (c *certificates) issue(name, mail string) {
	c.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter:    time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"store.example"},
	}
	if mail != "" {
		template.EmailAddresses = []string{mail}
	}
	c.issueOf(name, template)
}

func (c *certificates) issueOf(name string, template *x509.Certificate) *ecdsa.PrivateKey {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	by := c.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.root, &key.PublicKey, by)
	if err != nil {
		c.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(c.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return key
}

// TestPostfixByTLSAndAuth: Postfix verifies the certificate, authenticates with Cyrus SASL, and
// sends AUTH=<> with its mail (AUTH-06).
func TestPostfixByTLSAndAuth(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix", "cyrus-sasl")
	for _, mechanism := range []string{"scram-sha-256", "plain"} {
		t.Run("AUTH-10 "+mechanism, func(t *testing.T) {
			t.Parallel()
			f := openFortress(t)
			if err := os.Chmod(f.path("ca.pem"), 0o644); err != nil { // for Postfix's user
				t.Fatal(err)
			}
			p := peer.StartPostfix(t, peer.PostfixConfig{
				Deliver: "lmtp:inet:" + f.lmtp, Domains: []string{"dst.example"},
				Params: []string{
					"lmtp_tls_security_level = secure", "lmtp_tls_CAfile = " + f.path("ca.pem"),
					"lmtp_tls_secure_cert_match = store.example",
					"lmtp_sasl_auth_enable = yes", "lmtp_sasl_password_maps = static:{" + fortressUser + ":" + fortressPassword + "}",
					"lmtp_sasl_security_options = noanonymous", "lmtp_sasl_mechanism_filter = " + mechanism,
				},
			})
			send(t, p.Addr)
			p.AwaitIdle(time.Minute)
			if c := p.Complaints(); len(c) > 0 {
				t.Errorf("Postfix complains: %q", c)
			}
			f.wantReceived(t, "LMTPSA")
		})
	}
}

// send hands one message to a server without more ado.
func send(t *testing.T, addr string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{To: client.To("alice@dst.example"),
		Content: strings.NewReader("Subject: x\n\ny\n")})
	if err != nil || !r.Recipients[0].Delivered() {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSwaksByTLSAndAuth(t *testing.T) {
	t.Parallel()
	peer.Need(t, "swaks", "swaks-tls")
	for name, tt := range map[string]struct {
		args func(f *fortress) []string
		with string
	}{
		"LMTP": {func(f *fortress) []string { return []string{"--protocol", "LMTP", "--server", f.lmtp, "--tls"} },
			"LMTPSA"},
		"ESMTP": {func(f *fortress) []string { return []string{"--protocol", "ESMTP", "--server", f.esmtp, "--tls"} },
			"ESMTPSA"},
		"implicit": {func(f *fortress) []string {
			return []string{"--protocol", "LMTP", "--server", f.implicit, "--tls-on-connect"}
		}, "LMTPSA"},
	} {
		t.Run(name, func(t *testing.T) {
			f := openFortress(t)
			args := append(tt.args(f), "--from", "a@src.example", "--to", "alice@dst.example", "--auth", "PLAIN", "--auth-user",
				fortressUser,
				"--tls-verify", "--tls-ca-path", f.path("ca.pem"))
			if transcript, err := peer.Swaks(t, append(args, "--auth-password", "wrong")...); err == nil ||
				!strings.Contains(transcript, "535 5.7.8") {
				t.Errorf("wrong password: %v\n%s", err, transcript)
			}
			if transcript, err := peer.Swaks(t, append(args, "--auth-password", fortressPassword)...); err != nil {
				t.Fatalf("%v\n%s", err, transcript)
			}
			f.wantReceived(t, tt.with)
		})
	}
}

// smtplib is how most scripts send mail.
const smtplibScript = `
import smtplib, ssl, sys
kind, port, ca, user, password = sys.argv[1:]
c = getattr(smtplib, kind)("127.0.0.1", int(port))
c.starttls(context=ssl.create_default_context(cafile=ca))
try:
    c.login(user, "wrong")
    sys.exit("a wrong password is right")
except smtplib.SMTPAuthenticationError as e:
    assert e.smtp_code == 535, e
c.login(user, password)
c.sendmail("a@src.example", ["alice@dst.example"], "Subject: x\r\n\r\ny\r\n")
c.quit()
`

func TestSmtplibByTLSAndAuth(t *testing.T) {
	t.Parallel()
	peer.Need(t, "python3")
	f := openFortress(t)
	_, port, _ := net.SplitHostPort(f.esmtp)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c", smtplibScript, "SMTP", port, f.path("ca.pem"), fortressUser,
		fortressPassword).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.wantReceived(t, "ESMTPSA")
}

// TestSendByTLSAndAuth is our own client, as people use it.
func TestSendByTLSAndAuth(t *testing.T) {
	t.Parallel()
	f := openFortress(t)
	f.write(t, "password", fortressPassword+"\n")
	ways := map[string][]string{
		f.lmtp:     {"--tls", "required"},
		f.implicit: {"--tls", "implicit"},
		f.esmtp:    {"--tls", "starttls", "--protocol", "esmtp"},
	}
	doorstep := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), f.path("doorstep"),
			append([]string{"send", "--to", "alice@dst.example"}, args...)...).CombinedOutput()
		return string(out), err
	}
	for addr, way := range ways {
		args := append([]string{"--server", "tcp:" + addr, "--ca", f.path("ca.pem"), "--auth-user", fortressUser,
			"--auth-password-file", f.path("password")}, way...)
		if out, err := doorstep(append(args, "-v")...); err != nil || !strings.Contains(out, "AUTH SCRAM-SHA-256-PLUS …") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	for _, field := range f.received(t, len(ways)) { // TLS-08
		if !strings.Contains(field, "SA id ") || !strings.Contains(field, " for <alice@dst.example> tls TLS_") {
			t.Error(field)
		}
	}
	for hint, args := range map[string][]string{
		"--ca names a file": {"--tls", "required", "--auth-user", fortressUser, "--auth-password-file",
			f.path("password")},
		"--auth-user and the first": {"--tls", "required", "--insecure", "--auth-user", "nobody", "--auth-password-file",
			f.path("password")},
		"go together":  {"--auth-user", "x"},
		"are for TLS":  {"--insecure"},
		`is not "off"`: {"--tls", "always"},
	} {
		if out, err := doorstep(append(args, "--server", "tcp:"+f.lmtp)...); err == nil || !strings.Contains(out, hint) {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

// TestExternal: the client's certificate, or the kernel, says who it is.
func TestExternal(t *testing.T) {
	t.Parallel()
	f := openFortress(t)
	t.Run("AUTH-08 certificate", func(t *testing.T) {
		pair, err := tls.LoadX509KeyPair(f.path("client.pem"), f.path("client.key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, certificates := range [][]tls.Certificate{nil, {pair}} {
			nc, err := tls.Dial("tcp", f.implicit, &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
			if err != nil {
				t.Fatal(err)
			}
			want := "504 5.5.4"
			if certificates != nil {
				want = "235 2.7.0"
			}
			authenticate(t, nc, want)
		}
		if !strings.Contains(f.process.Output(), "identity=mta@src.example") {
			t.Errorf("the log does not tell who it was:\n%s", f.process.Output())
		}
	})
	t.Run("AUTH-08 Unix socket", func(t *testing.T) {
		nc, err := net.Dial("unix", f.unix)
		if err != nil {
			t.Fatal(err)
		}
		authenticate(t, nc, "235 2.7.0")
		if !strings.Contains(f.process.Output(), "identity=root") {
			t.Errorf("the log does not tell who it was:\n%s", f.process.Output())
		}
	})
}

// authenticate says AUTH EXTERNAL and wants an answer.
func authenticate(t *testing.T, nc net.Conn, want string) {
	t.Helper()
	defer nc.Close()
	in := bufio.NewScanner(nc)
	fmt.Fprint(nc, "LHLO c.example\r\nAUTH EXTERNAL =\r\nQUIT\r\n")
	for in.Scan() {
		if strings.HasPrefix(in.Text(), want+" ") {
			return
		}
	}
	t.Errorf("no %s: %v", want, in.Err())
}

// TestRenewal: certificate and passwords are replaced while the server runs.
func TestRenewal(t *testing.T) {
	t.Parallel()
	f := openFortress(t)
	presented := func() *big.Int {
		nc, err := tls.Dial("tcp", f.implicit, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].SerialNumber
	}
	before := presented()
	if presented().Cmp(before) != 0 {
		t.Error("another certificate each time")
	}
	newCertificates(t, f.dir).issue("server", "")
	f.own(t, "server.pem", "server.key")
	if presented().Cmp(before) == 0 {
		t.Error("the certificate before its renewal is presented")
	}
	// Moved into its place, as a whole: one that is written in place is left alone for two seconds.
	f.write(t, "users.new", "other:{PLAIN}pw\n")
	if err := os.Rename(filepath.Join(f.dir, "users.new"), filepath.Join(f.dir, "users")); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]bool{"other": true, fortressUser: false} {
		_, err := client.Dial(t.Context(), f.implicit, client.Options{
			TLS: client.TLSImplicit, TLSConfig: &tls.Config{InsecureSkipVerify: true},
			Login: &client.Login{User: user, Password: "pw"},
		})
		if (err == nil) != want {
			t.Errorf("%s: %v", user, err)
		}
	}
}
