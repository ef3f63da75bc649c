package config

import "strconv"

// readControlSocket takes the path of the control socket; "" is none.
func readControlSocket(r *reader, v value, s string) {
	if s == "" {
		r.config.Control.Socket = ""
		return
	}
	path, ok := r.absolute(v, s)
	switch {
	case !ok:
	case len(path) > maxUnixPath:
		r.problems.add(v.place(), "the path of the socket has "+strconv.Itoa(len(path))+" octets; the kernel takes "+strconv.Itoa(maxUnixPath), "")
	default:
		r.config.Control.Socket = path
	}
}
