// Package overload holds the tests of what is refused first when connections, memory or descriptors run out: healthy
// clients deliver beside thousands that do not, from other addresses of the loopback network. "make test" does it in
// short; "make overload" at length, and prints the table of docs/overload.md.
package overload
