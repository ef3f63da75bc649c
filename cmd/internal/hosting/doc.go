// Package hosting tests the directories in SQL against real servers, filled as the projects fill
// them that manage accounts there: testdata has their tables, as far as deliveries are concerned.
package hosting
