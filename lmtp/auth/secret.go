package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// A scheme is a way to keep a password, as Dovecot names it.
type scheme struct {
	parse func(octets []byte) (secret, error)
	// encoding is that of the octets after the scheme; nil: there is none, and no other can be
	// asked for.
	encoding func(s string) ([]byte, error)
}

// schemes is the table of those that are known.
var schemes = map[string]scheme{
	"PLAIN":         {parsePlain, verbatim},
	"CLEAR":         {parsePlain, verbatim},
	"CLEARTEXT":     {parsePlain, verbatim},
	"SHA256":        {digest(sha256.New, sha256.Size, false), base64Any},
	"SSHA256":       {digest(sha256.New, sha256.Size, true), base64Any},
	"SHA512":        {digest(sha512.New, sha512.Size, false), base64Any},
	"SSHA512":       {digest(sha512.New, sha512.Size, true), base64Any},
	"CRYPT":         {crypt(""), nil},
	"SHA256-CRYPT":  {crypt("$5$"), nil},
	"SHA512-CRYPT":  {crypt("$6$"), nil},
	"BLF-CRYPT":     {crypt("$2"), nil},
	"ARGON2I":       {crypt("$argon2i$"), nil},
	"ARGON2ID":      {crypt("$argon2id$"), nil},
	"SCRAM-SHA-256": {parseScram, nil},
}

// parseSecret reads "{SCHEME}octets" or "{SCHEME.ENCODING}octets". Without a scheme it is one of
// crypt(3), as in the system's own file.
func parseSecret(s string) (secret, error) {
	name, rest, found := strings.Cut(strings.TrimPrefix(s, "{"), "}")
	switch {
	case s == "":
		return nil, errors.New("no password")
	case strings.HasPrefix(s, "$"):
		name, rest = "CRYPT", s
	case !strings.HasPrefix(s, "{") || !found:
		return nil, errors.New("no {SCHEME} before the password")
	}
	name, encoding, encoded := strings.Cut(strings.ToUpper(name), ".")
	kind, known := schemes[name]
	if !known {
		return nil, fmt.Errorf("scheme %.32q is not known", name)
	}
	octets, err := decoding(kind, encoding, encoded)(rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	parsed, err := kind.parse(octets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}

// decoding chooses how the octets are written.
func decoding(kind scheme, encoding string, encoded bool) func(string) ([]byte, error) {
	switch {
	case !encoded && kind.encoding == nil:
		return verbatim
	case !encoded:
		return kind.encoding
	case kind.encoding != nil && encoding == "HEX":
		return func(s string) ([]byte, error) { return without(hex.DecodeString(s)) }
	case kind.encoding != nil && (encoding == "B64" || encoding == "BASE64"):
		return base64Any
	}
	return func(string) ([]byte, error) { return nil, fmt.Errorf("encoding %.32q is not known", encoding) }
}

func verbatim(s string) ([]byte, error) { return []byte(s), nil }

// base64Any takes base64 with its padding and without.
func base64Any(s string) ([]byte, error) {
	return without(base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=")))
}

// without hides a decoder's error, which can quote what it could not decode.
func without(octets []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, errors.New("not in its encoding")
	}
	return octets, nil
}

// A plainSecret is the password itself.
type plainSecret string

func parsePlain(octets []byte) (secret, error) {
	prepared, err := preparePassword(string(octets))
	return plainSecret(prepared), err
}

func (s plainSecret) matches(password string) bool {
	// Over digests, so that not even the length shows.
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func (plainSecret) cost() int64 { return 500 }

// A digestSecret is a digest of the password and, after it, of a salt.
type digestSecret struct {
	hash      func() hash.Hash
	sum, salt []byte
}

// digest is a scheme of digests: the sum, and with salted the salt after it.
func digest(h func() hash.Hash, size int, salted bool) func([]byte) (secret, error) {
	return func(octets []byte) (secret, error) {
		if len(octets) < size || !salted && len(octets) > size || len(octets) > size+64 {
			return nil, fmt.Errorf("%d octets, where the digest has %d", len(octets), size)
		}
		return digestSecret{h, octets[:size], octets[size:]}, nil
	}
}

func (s digestSecret) matches(password string) bool {
	h := s.hash()
	h.Write([]byte(password))
	h.Write(s.salt)
	return subtle.ConstantTimeCompare(h.Sum(nil), s.sum) == 1
}

func (digestSecret) cost() int64 { return 500 }

// A scramSecret is what SCRAM keeps (RFC 5802 §3), from which the password cannot be derived.
type scramSecret struct{ scram.StoredCredentials }

// parseScram: iterations "," salt "," stored-key "," server-key, the last three in base64.
func parseScram(octets []byte) (secret, error) {
	part := strings.Split(string(octets), ",")
	if len(part) != 4 {
		return nil, errors.New("not iterations,salt,stored key,server key")
	}
	iterations, err := strconv.Atoi(part[0])
	if err != nil || iterations < 4096 || iterations > maxIterations { // RFC 7677 §4 has the least
		return nil, fmt.Errorf("iterations are not between 4096 and %d", maxIterations)
	}
	var decoded [3][]byte
	for i := range decoded {
		if decoded[i], err = without(base64.StdEncoding.DecodeString(part[1+i])); err != nil {
			return nil, err
		}
	}
	salt, storedKey, serverKey := decoded[0], decoded[1], decoded[2]
	if len(salt) == 0 || len(salt) > 64 || len(storedKey) != sha256.Size || len(serverKey) != sha256.Size {
		return nil, errors.New("salt or keys are not of their size")
	}
	return &scramSecret{scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(salt), Iters: iterations},
		StoredKey:  storedKey,
		ServerKey:  serverKey,
	}}, nil
}

func (s *scramSecret) matches(password string) bool {
	salted, err := pbkdf2.Key(sha256.New, password, []byte(s.Salt), s.Iters, sha256.Size)
	if err != nil {
		return false // only where FIPS 140 forbids the salt
	}
	clientKey := hmac.New(sha256.New, salted)
	clientKey.Write([]byte("Client Key"))
	storedKey := sha256.Sum256(clientKey.Sum(nil))
	return subtle.ConstantTimeCompare(storedKey[:], s.StoredKey) == 1
}

func (s *scramSecret) cost() int64 { return int64(s.Iters) * 250 }
