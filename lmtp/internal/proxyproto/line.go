package proxyproto

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxLine is the longest header of version 1, CRLF included.
const maxLine = 107

// readLine reads version 1, a line.
func readLine(r Reader) (net.Addr, error) {
	for n := len("PROXY "); n <= maxLine; n++ {
		line, err := r.Peek(n)
		if err != nil {
			return nil, err
		}
		if line[n-1] == '\n' {
			r.Discard(n)
			text, ended := strings.CutSuffix(string(line), "\r\n")
			if !ended {
				return nil, errMalformed
			}
			return parseLine(text)
		}
	}
	return nil, fmt.Errorf("%w: longer than %d octets", errMalformed, maxLine)
}

// parseLine: "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP source-port SP
// destination-port, or "PROXY" SP "UNKNOWN" and anything.
func parseLine(line string) (net.Addr, error) {
	field := strings.Split(line, " ")
	if field[1] == "UNKNOWN" {
		return nil, nil
	}
	if len(field) != 6 {
		return nil, errMalformed
	}
	source, ok1 := parseAddr(field[1], field[2], field[4])
	_, ok2 := parseAddr(field[1], field[3], field[5])
	if !ok1 || !ok2 {
		return nil, errMalformed
	}
	return net.TCPAddrFromAddrPort(source), nil
}

func parseAddr(family, addr, port string) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Zone() != "" || !(family == "TCP4" && ip.Is4() || family == "TCP6" && ip.Is6()) {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port { // neither sign nor leading zero
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, uint16(n)), true
}
