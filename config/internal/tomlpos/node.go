package tomlpos

// A node is where something stands in a document: a key and its value, or an element of an
// array. Nodes have the shape of the decoded values, so that the two are walked together.
type node struct {
	// key and value are offsets. An element's are equal; a table's are those of its name.
	key, value int
	table      map[string]*node
	elements   []*node
}

// child returns the node of the name in n, making it where it is new.
func (n *node) child(name string, offset int) *node {
	if c := n.table[name]; c != nil {
		return c
	}
	if n.table == nil {
		n.table = map[string]*node{}
	}
	c := &node{key: offset, value: offset}
	n.table[name] = c
	return c
}

// element adds an element to the array n.
func (n *node) element(offset int) *node {
	e := &node{key: offset, value: offset}
	n.elements = append(n.elements, e)
	return e
}

// last returns what a header or a dotted key means by n: of an array of tables, the latest.
func (n *node) last() *node {
	if len(n.elements) == 0 {
		return n
	}
	return n.elements[len(n.elements)-1]
}
