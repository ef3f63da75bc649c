package sieve

import "slices"

// true and false (RFC 5228 §5.10, §5.6).
func trueTest() *Definition { return constantTest("true", true, Always) }

func falseTest() *Definition { return constantTest("false", false, Never) }

func constantTest(name string, result bool, known Known) *Definition {
	return &Definition{
		Name: name,
		Test: func(_ *Compiler, call *Call) Test {
			call.Result = known
			return func(*Run) bool { return result }
		},
	}
}

// not (RFC 5228 §5.8).
func notTest() *Definition {
	return &Definition{
		Name: "not", Tests: OneTest,
		Test: func(_ *Compiler, call *Call) Test {
			switch call.Known[0] {
			case Always:
				call.Result = Never
			case Never:
				call.Result = Always
			}
			test := call.Tests[0]
			return func(r *Run) bool { return !test(r) && r.err == nil }
		},
	}
}

// allof and anyof (RFC 5228 §5.2, §5.3) stop at the first test that decides.
func allofTest() *Definition { return listTest("allof", Never, Always) }

func anyofTest() *Definition { return listTest("anyof", Always, Never) }

// listTest is a test that the first result of a kind decides; otherwise it is the other.
func listTest(name string, decides, otherwise Known) *Definition {
	return &Definition{
		Name: name, Tests: TestList, Ends: decides,
		Test: func(_ *Compiler, call *Call) Test {
			switch {
			case slices.Contains(call.Known, decides):
				call.Result = decides
			case !slices.Contains(call.Known, Unknown):
				call.Result = otherwise
			}
			tests, early := call.Tests, decides == Always
			return func(r *Run) bool {
				for _, test := range tests {
					if test(r) == early {
						return early && r.err == nil
					}
				}
				return !early && r.err == nil
			}
		},
	}
}
