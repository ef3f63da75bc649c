package config

import (
	"path/filepath"
	"slices"
)

func readSandboxPath(r *reader, v value, s string) {
	if path, ok := r.absolute(v, s); ok {
		r.config.Sandbox.Paths = append(r.config.Sandbox.Paths, path)
	}
}

// Files are the files that the configuration was read from and those that it names, for what a server
// must be able to read.
func (c *Config) Files() []string {
	files := slices.Clone(c.files)
	for _, file := range []string{c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA, c.Auth.PasswdFile, c.Admin.TokenFile} {
		if file != "" {
			files = append(files, file)
		}
	}
	for _, d := range c.Directories {
		for _, file := range []string{d.File, d.Database.PasswordFile, d.Database.TLSCA} {
			if file != "" {
				files = append(files, file)
			}
		}
	}
	for i, file := range files {
		if absolute, err := filepath.Abs(file); err == nil {
			files[i] = absolute
		}
	}
	return files
}
