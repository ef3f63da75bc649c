package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/auth"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// expiresSoon is how long before its end a certificate is warned of.
const expiresSoon = 7 * 24 * time.Hour

// A caution is an error that is only warned of.
type caution struct{ error }

// CheckSecrets checks that nobody reads what the configuration keeps secret who should not: keys,
// passwords, and the files of the configuration themselves where they have a secret in them. A server
// is not to start where this finds something.
func (c *Config) CheckSecrets() error {
	files := map[string]bool{c.TLS.Key: true, c.Auth.PasswdFile: true}
	for _, d := range c.Directories {
		files[d.Database.PasswordFile] = true
	}
	for path := range c.said {
		name := path[strings.LastIndexByte(path, '.')+1:]
		if (key{name: name}).isSecret() {
			file, _, _ := strings.Cut(c.from[path], ":")
			files[file] = true
		}
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if file == "" {
			continue
		}
		var f fault
		if err := checkSecret(file); errors.As(err, &f) { // what cannot be read is found by who reads it
			return fmt.Errorf("%w; %s", err, f.hint)
		}
	}
	return nil
}

// checkTLSFiles checks the files of [tls]. report takes what is wrong with the value at a path.
func (c *Config) checkTLSFiles(report func(path string, err error)) {
	if c.TLS.Certificate != "" && c.TLS.Key != "" {
		if err := checkSecret(c.TLS.Key); err != nil {
			report("tls.key", err)
		}
		report("tls.certificate", checkCertificate(c.TLS.Certificate, c.TLS.Key, time.Now()))
	}
	if c.TLS.ClientCA != "" {
		_, err := keypair.Authorities(c.TLS.ClientCA)
		report("tls.client_ca", err)
	}
}

// checkCertificate checks that a certificate and its key can be used now.
func checkCertificate(certificate, key string, now time.Time) error {
	if _, err := os.ReadFile(key); err != nil {
		return nil // the key's own problem
	}
	pair, err := keypair.Load(certificate, key)
	if err != nil {
		return err
	}
	leaf := pair.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return err
		}
	}
	switch {
	case now.After(leaf.NotAfter):
		return fault{"the certificate has expired on " + leaf.NotAfter.UTC().Format(time.DateOnly), "renew it"}
	case now.Before(leaf.NotBefore):
		return fault{"the certificate is valid only from " + leaf.NotBefore.UTC().Format(time.DateTime) + " UTC", "is the machine's clock right?"}
	case now.Add(expiresSoon).After(leaf.NotAfter):
		return caution{fault{"the certificate expires on " + leaf.NotAfter.UTC().Format(time.DateOnly), "renew it"}}
	}
	return nil
}

// checkAuthFiles checks the password file.
func (c *Config) checkAuthFiles(report func(path string, err error)) {
	path := c.Auth.PasswdFile
	if path == "" {
		return
	}
	if err := checkSecret(path); err != nil {
		report("auth.passwd_file", err)
		if !errors.As(err, new(fault)) {
			return // it cannot be read
		}
	}
	users, problems, err := auth.Load(path)
	report("auth.passwd_file", err)
	for i, p := range problems {
		if i == 10 {
			report("auth.passwd_file", fmt.Errorf("%d more lines of %s are not understood", len(problems)-i, path))
			break
		}
		report("auth.passwd_file", fmt.Errorf("line %d of %s: %s", p.Line, path, p.Text))
	}
	if err == nil && !users.HasScram() && slices.ContainsFunc(c.Listen, func(l Listen) bool {
		return slices.Contains(l.Auth, auth.Scram) || slices.Contains(l.Auth, auth.ScramPlus)
	}) {
		report("auth.passwd_file", caution{fault{"has no {SCRAM-SHA-256} password, and so SCRAM-SHA-256 is not offered", "doveadm pw -s SCRAM-SHA-256 makes them"}})
	}
}

// checkSecret checks that a file is there, and that not everybody may read it. Its group may: that
// is how several programs share a key.
func checkSecret(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch {
	case !info.Mode().IsRegular():
		return errors.New(quote(path) + " is not a regular file")
	case info.Mode()&fs.FileMode(0o007) != 0:
		return fault{fmt.Sprintf("%s is open to everybody on this machine (mode %04o)", quote(path), info.Mode().Perm()), "chmod o= " + path}
	}
	return nil
}
