package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSettings: what a file says and what is the default can be distinguished, and nothing that
// holds a secret is shown.
func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doorstep.toml")
	text := "[quota]\nwarn_url = \"https://admin:hunter2@example.org\"\n" +
		"[[listen]]\naddress = \"unix:/run/lmtp\"\ntrusted = [\"root\"]\n[limits]\nrecipients = 200\n" +
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
		{"quota.warn_url", `"(not shown)"`, false},
	} {
		if got[want.Key] != want {
			t.Errorf("%s is %+v, want %+v", want.Key, got[want.Key], want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for name, secret := range map[string]bool{
		"password": true, "bind_password": true, "dsn": false, "token": true,
		"password_file": false, "token_file": false, "path": false, "connections": false, "max_connections": false,
		"passwd_file": false,
	} {
		if got := isSecret(name); got != secret {
			t.Errorf("%s: secret %v, want %v", name, got, secret)
		}
	}
}
