package auth

import (
	"strings"
	"testing"
)

const testPassword = "pässword 1"

// Made by "doveadm pw", of Dovecot 2.3.
var goodSecrets = map[string]string{
	"PLAIN":               "{PLAIN}pässword 1",
	"PLAIN.B64":           "{PLAIN.B64}cMOkc3N3b3JkIDE=",
	"SHA256":              "{SHA256}f7RERuWhObO3oHciFhtpNCnGhD0FNBL7CyE3AkK4vbA=",
	"SSHA256":             "{SSHA256}mTnvSAZNht5PqccvME6kcFDhyPVh+Z9G8osun91kGnpCN6Nv",
	"SHA512":              "{SHA512}CKWQ1bFe+6HuV0fkV78KrhRH5bOjFVbkHBnd8vTWw2lc3YVFx8X2I6wtGQoVpZVuVsftC++RLO5GPIvd7H4Lyg==",
	"SSHA512":             "{SSHA512}DNdz+TtKj1FOIW9/mjy6NFERaXP9lYCtaa8Pu2QvLWEzDu9Wr8pzHMEByRTQxO5N6LUhDvsHjurKL8bTqaoSUP//7IY=",
	"SHA256.HEX":          "{SHA256.HEX}7fb44446e5a139b3b7a07722161b693429c6843d053412fb0b21370242b8bdb0",
	"SSHA512.B64":         "{SSHA512.B64}y7h0OXC1x+t5nDZamFJgWsr1ACh3/m9ViBj9teYcA+E730jNdLIj3y8LANilZle2KZXbizB60L5ibJVYZh/AIqxRrJQ=",
	"CRYPT bcrypt":        "{CRYPT}$2y$04$aqDgzi3mwV4/0EudfoeVUOzqViyY76o4tgqwtYaU25DyxEkIe8OaO",
	"BLF-CRYPT":           "{BLF-CRYPT}$2y$05$LDhsHq/w7qJZWeZRb6drfOU31inT7pGJsxm8ODUGzhpQLhed1iRFW",
	"SHA256-CRYPT":        "{SHA256-CRYPT}$5$tRraXC7cWxzq0nP1$vzuOLvca7aCQ1ykrkzasG/gJDdycIonae6OtqyVkxDA",
	"SHA512-CRYPT":        "{SHA512-CRYPT}$6$/zwc4QfnR0PrrtE4$LMqL6.MybnSFlHhb6M114/vZPLlnGXHdENKQvEqQyAvbVmI7wdYyAAEHp9haPJpr9aS5Ub964ajq3A.8RgGg..",
	"SHA512-CRYPT rounds": "{SHA512-CRYPT}$6$rounds=1000$0Q7bZgFM/zemMeCz$oXV9zzDfz/MduVD91Gla50WkZjjWHBRTJQ66sH7D/tPFSb7M99JBE0StW.plMMk0QTZ7HEZOBbJCSCeskXCDZ1",
	"without a scheme":    "$6$rounds=1000$0Q7bZgFM/zemMeCz$oXV9zzDfz/MduVD91Gla50WkZjjWHBRTJQ66sH7D/tPFSb7M99JBE0StW.plMMk0QTZ7HEZOBbJCSCeskXCDZ1",
	"ARGON2I":             "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$1NjHzlwaC1UWkh+aMkU3sw$PSKkCzweQf3ILX7eDi0mLEOVXeZvlWUU7d7pfUVIC8k",
	"ARGON2ID":            "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$EWbLAjzVXzJ00F0+weeRXQ$3qqqbogwdAOd1xFswcoE8daqfvroXYo1fn29UnQl7iA",
	"SCRAM-SHA-256":       scramLine,
	"lower case":          "{sha256.hex}7fb44446e5a139b3b7a07722161b693429c6843d053412fb0b21370242b8bdb0",
}

const scramLine = "{SCRAM-SHA-256}4096,CV4DxPJ8iMg52xiXDp+6xg==,/q2YF+tFI2z7+Fs1TSNUYX1e02JD2c9XHdt8WB++jwM=,0fQ785E4Y/yOBu1Ev/XOAg/48XQVH36Ed0dHKyemxEY="

func TestSecrets(t *testing.T) {
	for name, line := range goodSecrets {
		t.Run(name, func(t *testing.T) {
			s, err := parseSecret(line)
			if err != nil {
				t.Fatal(err)
			}
			if !s.matches(testPassword) {
				t.Error("the password does not match")
			}
			for _, other := range []string{"", "password 1", testPassword + " ", testPassword[1:], "pässword 2",
				strings.Repeat("x", maxPassword)} {
				if s.matches(other) {
					t.Errorf("%q matches", other)
				}
				if s.cost() > 100_000_000 {
					break // one will do
				}
			}
			if s.cost() <= 0 {
				t.Error("costs nothing")
			}
		})
	}
}

// What costs too much is refused before it is tried: any of these would take minutes, or all memory.
func TestBadSecrets(t *testing.T) {
	key := "$LMqL6.MybnSFlHhb6M114/vZPLlnGXHdENKQvEqQyAvbVmI7wdYyAAEHp9haPJpr9aS5Ub964ajq3A.8RgGg.."
	argon := "$EWbLAjzVXzJ00F0+weeRXQ$3qqqbogwdAOd1xFswcoE8daqfvroXYo1fn29UnQl7iA"
	for name, line := range map[string]string{
		"empty":                   "",
		"no scheme":               "secret",
		"open scheme":             "{PLAIN",
		"unknown scheme":          "{MD5}abc",
		"unknown encoding":        "{SHA256.B32}abc",
		"encoding of crypt":       "{CRYPT.HEX}00",
		"empty plain":             "{PLAIN}",
		"not hex":                 "{SHA256.HEX}xyz",
		"not base64":              "{SHA256}!!!!",
		"short digest":            "{SHA256}AAAA",
		"salt where none is":      "{SHA256}mTnvSAZNht5PqccvME6kcFDhyPVh+Z9G8osun91kGnpCN6Nv",
		"rounds=999999999":        "{CRYPT}$6$rounds=999999999$salt" + key,
		"rounds=0":                "{CRYPT}$6$rounds=1$salt" + key,
		"sha-crypt cut short":     "{CRYPT}$6$salt" + key[:40],
		"other crypt":             "{SHA256-CRYPT}$6$salt" + key,
		"DES":                     "{CRYPT}rl0uE0Sy1iVxM",
		"bcrypt 31":               "{BLF-CRYPT}$2y$31$aqDgzi3mwV4/0EudfoeVUOzqViyY76o4tgqwtYaU25DyxEkIe8OaO",
		"bcrypt 00":               "{BLF-CRYPT}$2y$00$aqDgzi3mwV4/0EudfoeVUOzqViyY76o4tgqwtYaU25DyxEkIe8OaO",
		"argon2 of a terabyte":    "{ARGON2ID}$argon2id$v=19$m=999999999,t=1,p=1" + argon,
		"argon2 for ever":         "{ARGON2ID}$argon2id$v=19$m=65536,t=999999999,p=1" + argon,
		"argon2 in many lanes":    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=10000" + argon,
		"argon2 in no lane":       "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=0" + argon,
		"argon2 in no pass":       "{ARGON2ID}$argon2id$v=19$m=65536,t=0,p=1" + argon,
		"argon2 without memory":   "{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1" + argon,
		"argon2 of another kind":  "{ARGON2I}$argon2id$v=19$m=65536,t=3,p=1" + argon,
		"scram of two parts":      "{SCRAM-SHA-256}4096,AAAA",
		"scram of few iterations": strings.Replace(scramLine, "4096", "1", 1),
		"scram for ever":          strings.Replace(scramLine, "4096", "999999999", 1),
		"scram of short keys":     "{SCRAM-SHA-256}4096,CV4DxPJ8iMg52xiXDp+6xg==,AAAA,AAAA",
		"scram without salt":      strings.Replace(scramLine, "CV4DxPJ8iMg52xiXDp+6xg==", "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseSecret(line); err == nil {
				t.Error("understood")
			} else if len(line) > 30 && strings.Contains(err.Error(), line[len(line)-20:]) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// Whatever a file says, checking what was understood ends soon and does not panic.
func FuzzSecret(f *testing.F) {
	for _, line := range goodSecrets {
		f.Add(line, testPassword)
	}
	f.Fuzz(func(t *testing.T, line, password string) {
		s, err := parseSecret(line)
		if err != nil || s.cost() > 20_000_000 {
			return
		}
		first := s.matches(password)
		if again := s.matches(password); again != first {
			t.Error("not the same twice")
		}
	})
}
