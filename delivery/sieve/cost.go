package sieve

// What a run takes of its budget. A step is an octet that is compared, which is a nanosecond or less; what takes longer
// is as many steps as it has nanoseconds, so that the budget bounds the time, whatever the script does.
const (
	costField   = 3    // a field of the header, of which the name is compared
	costEdit    = 16   // a field of a header that is copied, as it is edited
	costFlag    = 32   // a flag that is compared with others, and copied
	costJoined  = 2    // an octet of a text that is put together of others
	costDomain  = 4000 // a domain that is written in its other form
	costDate    = 7500 // a date that is read
	costUnicode = 150  // an octet of which the case of Unicode is folded
	costPart    = 10   // a field of a part that is looked at beside others
	costMedia   = 20   // an octet of a content type with its parameters
	costDecoded = 4    // an octet of a body that is decoded
	costMarkup  = 12   // an octet of a text with markup
	costGlob    = 3    // an octet of a part of a pattern, where its first text stands
	costRegex   = 3    // an octet that an instruction of a regular expression looks at
	costAddress = 64   // an address
)
