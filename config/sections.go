package config

// sectionNamed returns the section, or nil.
func sectionNamed(name string) *section {
	for i := range sections[1:] {
		if s := &sections[1+i]; s.name == name {
			return s
		}
	}
	return nil
}

// sectionsWith returns how the sections begin that have a key of this name.
func sectionsWith(name string) []string {
	var headers []string
	for i := range sections {
		if sections[i].key(name) != nil {
			headers = append(headers, sections[i].header())
		}
	}
	return headers
}

// key returns the key of s, or nil.
func (s *section) key(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

// names are the keys that can stand in s; in the document itself also the sections.
func (s *section) names() []string {
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	if s.name == "" {
		for _, below := range sections[1:] {
			names = append(names, below.name)
		}
	}
	return names
}

// path returns the path of a key of s, which is no array.
func (s *section) path(k key) string {
	if s.name == "" {
		return k.name
	}
	return s.name + "." + k.name
}

// header returns how s begins in a file.
func (s *section) header() string {
	switch {
	case s.name == "":
		return "the beginning of the file"
	case s.array:
		return "[[" + s.name + "]]"
	}
	return "[" + s.name + "]"
}
