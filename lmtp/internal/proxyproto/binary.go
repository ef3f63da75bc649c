package proxyproto

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
)

// readBinary reads version 2: signature, version and command, family, length, and as
// much as that says.
func readBinary(r Reader) (net.Addr, error) {
	const fixed = 16
	head, err := r.Peek(fixed)
	if err != nil {
		return nil, err
	}
	size := fixed + int(binary.BigEndian.Uint16(head[14:]))
	if size > maxHeader {
		return nil, fmt.Errorf("%w: longer than %d octets", errMalformed, maxHeader)
	}
	header, err := r.Peek(size)
	if err != nil {
		return nil, err
	}
	r.Discard(size)
	return parseBinary(header, header[fixed:])
}

// What follows the signature: version and command, then family and transport.
const (
	commandLocal = 0x20
	commandProxy = 0x21

	familyUnspecified  = 0x00
	familyTCP4         = 0x11
	familyUDP4         = 0x12
	familyTCP6         = 0x21
	familyUDP6         = 0x22
	familyUnixStream   = 0x31
	familyUnixDatagram = 0x32
)

// parseBinary reads a whole header; body is the part of it that follows the length.
func parseBinary(header, body []byte) (net.Addr, error) {
	command, family := header[12], header[13]
	if command == commandLocal { // the proxy itself, to see whether the server lives
		return nil, nil
	}
	size, known := map[byte]int{
		familyUnspecified: 0, familyTCP4: 12, familyUDP4: 12, familyTCP6: 36, familyUDP6: 36,
		familyUnixStream: 216, familyUnixDatagram: 216,
	}[family]
	if command != commandProxy || !known || len(body) < size {
		return nil, errMalformed
	}
	if family == familyUnspecified {
		return nil, nil
	}
	if err := checkValues(header, body[size:]); err != nil {
		return nil, err
	}
	switch family {
	case familyTCP4, familyUDP4:
		ip, port := netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:])
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port)), nil
	case familyTCP6, familyUDP6:
		ip, port := netip.AddrFrom16([16]byte(body)), binary.BigEndian.Uint16(body[32:])
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port)), nil
	}
	return &net.UnixAddr{Net: "unix"}, nil
}

// typeCRC is the type of the value that holds the CRC-32C of the header.
const typeCRC = 0x03

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkValues goes through the values after the addresses, each a type, a length and octets. Only the checksum has a
// meaning here.
func checkValues(header, values []byte) error {
	for len(values) > 0 {
		if len(values) < 3 {
			return errMalformed
		}
		kind, size := values[0], int(binary.BigEndian.Uint16(values[1:]))
		values = values[3:]
		if len(values) < size {
			return errMalformed
		}
		if kind == typeCRC && !sumIsRight(header, values[:size]) {
			return fmt.Errorf("%w: wrong checksum", errMalformed)
		}
		values = values[size:]
	}
	return nil
}

// sumIsRight compares sum, which is part of header, with the checksum of the header with zeros in its place.
func sumIsRight(header, sum []byte) bool {
	if len(sum) != 4 {
		return false
	}
	want := binary.BigEndian.Uint32(sum)
	clear(sum)
	return crc32.Checksum(header, castagnoli) == want
}
