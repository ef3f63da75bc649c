package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettings: what a file says and what is the default can be told apart, and nothing that
// holds a secret is shown.
func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doorstep.toml")
	text := "[[listen]]\naddress = \"unix:/run/lmtp\"\ntrusted = [\"root\"]\n[limits]\nrecipients = 200\n" +
		"[[domain]]\nname = \"example.org\"\n[[user]]\naddress = \"postmaster@example.org\"\nowner_since = \"2014-04-03\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := Load(path)
	if err != nil || HasErrors(problems) {
		t.Fatal(err, problems)
	}
	got := map[string]Setting{}
	for _, s := range c.Settings() {
		got[s.Key] = s
	}
	for _, want := range []Setting{
		{"limits.recipients", "200", false},
		{"limits.message_size", `"50MiB"`, true},
		{"listen[0].address", `"unix:/run/lmtp"`, false},
		{"listen[0].trusted", `["root"]`, false},
		{"listen[0].protocol", `"lmtp"`, true},
		{"user[0].owner_since", `"2014-04-03"`, false},
	} {
		if got[want.Key] != want {
			t.Errorf("%s is %+v, want %+v", want.Key, got[want.Key], want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for name, secret := range map[string]bool{
		"password": true, "bind_password": true, "dsn": true, "token": true,
		"password_file": false, "token_file": false, "path": false, "connections": false, "max_connections": false, "passwd_file": false,
	} {
		if got := (key{name: name}).isSecret(); got != secret {
			t.Errorf("%s: secret %v, want %v", name, got, secret)
		}
	}
	r := newReader()
	r.said["directory.password"] = value{data: "hunter2"}
	shown := r.setting("directory.password", key{name: "password"})
	if len(shown) != 1 || strings.Contains(shown[0].Value, "hunter2") {
		t.Errorf("shown as %+v", shown)
	}
}

// TestReadToken: a token is long enough, one word, and nobody else's.
func TestReadToken(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		ok         bool
		want       string // in the error
	}{
		{"good", "0123456789abcdef\n", 0o640, true, ""},
		{"short", "0123456789abcde\n", 0o600, false, "less than 16"},
		{"open", "0123456789abcdef\n", 0o644, false, "open to everybody"},
		{"two", "0123456789 abcdef\n", 0o600, false, "not one word"},
		{"long", strings.Repeat("x", maxToken+1), 0o600, false, "not one word"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		token, err := ReadToken(path)
		if c.ok != (err == nil) || c.ok && token != strings.TrimSpace(c.text) {
			t.Errorf("%s: token %q, error %v", c.name, token, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.want) || Hint(err) == "") {
			t.Errorf("%s: %v (%s), want %q and a hint", c.name, err, Hint(err), c.want)
		}
	}
	if _, err := ReadToken(dir); err == nil {
		t.Error("a directory was taken for a token")
	}
}
