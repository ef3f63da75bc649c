package client

import "strings"

// Extensions are the service extensions that a server offers in its answer to LHLO or EHLO,
// by keyword in upper case, each with its parameters as one string.
type Extensions map[string]string

// Has reports whether the extension is offered. Keywords are case-insensitive (RFC 5321 §2.4).
func (e Extensions) Has(keyword string) bool {
	_, ok := e[strings.ToUpper(keyword)]
	return ok
}

// Param returns the extension's parameters: "52428800" for SIZE, "RCPTMAX=1000" for LIMITS; ""
// where it has none, or is not offered.
func (e Extensions) Param(keyword string) string { return e[strings.ToUpper(keyword)] }

// parseExtensions reads the lines after the first of a hello response (RFC 5321 §4.1.1.1):
//
//	ehlo-line = ehlo-keyword *( SP ehlo-param )
//	ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//
// Lines outside the grammar offer nothing (old servers send "AUTH=LOGIN").
func parseExtensions(hello Reply) Extensions {
	e := make(Extensions)
	for _, line := range hello.Lines[1:] {
		keyword, params, _ := strings.Cut(line, " ")
		if isKeyword(keyword) {
			e[strings.ToUpper(keyword)] = strings.TrimSpace(params)
		}
	}
	return e
}

func isKeyword(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // lower case
		if !isDigit(s[i]) && (c < 'a' || c > 'z') && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}
