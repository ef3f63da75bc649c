package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// maxID is the largest number of a user or group (see id).
const maxID = 1<<32 - 2

func readStoreUser(r *reader, v value, s string) {
	if r.readPrincipal(v, s, &r.config.Store.User) && (s == "root" || s == "0") {
		r.problems.add(v.place(), "root must not handle mail", "name a user who has nothing but mail")
	}
}

func readStoreGroup(r *reader, v value, s string) { r.readPrincipal(v, s, &r.config.Store.Group) }

func readUserOwner(r *reader, v value, s string) { r.readPrincipal(v, s, &r.user.Owner) }

// checkOwners checks what accounts and the store say of users of the machine.
func (r *reader) checkOwners() {
	if v, said := r.said["store.group"]; said && r.config.Store.User == "" {
		r.problems.add(v.name(), "is for store.user, which is missing", "write user = "+quote(r.config.Store.Group))
	}
	for i, u := range r.config.Users {
		path := "user[" + itoa(i) + "]."
		owner, byName := r.said[path+"owner"]
		uid, byUID := r.said[path+"uid"]
		gid, byGID := r.said[path+"gid"]
		switch {
		case !byName && !byUID && !byGID:
		case !r.config.Store.Owners:
			r.problems.add(firstSaid(owner, uid, gid).name(), "needs store.owners, which is false", "write owners = true in [store], or leave it out")
		case byName && byUID:
			r.problems.add(uid.name(), "is said by owner already", "leave one of them out")
		case byUID && !byGID:
			r.problems.add(uid.name(), "needs a gid", "write gid = …")
		case byGID && !byName && !byUID:
			r.problems.add(gid.name(), "needs a uid, or an owner", "write uid = …")
		default:
			r.checkLowest(uid, u.UID, "store.first_valid_uid", r.config.Store.FirstUID)
			r.checkLowest(gid, u.GID, "store.first_valid_gid", r.config.Store.FirstGID)
		}
	}
}

// firstSaid is the first of values that are keys of a file.
func firstSaid(values ...value) value {
	for _, v := range values[:len(values)-1] {
		if v.doc != nil {
			return v
		}
	}
	return values[len(values)-1]
}

// checkLowest refuses a user or group of the system; 0 stands for none, or a problem already.
func (r *reader) checkLowest(v value, id int, bound string, lowest int) {
	if id != 0 && id < lowest {
		r.problems.add(v.place(), fmt.Sprintf("%d is under %s, %d", id, bound, lowest), "mail must not be written as a user of the system")
	}
}

// IDs gives the numbers of the owner of u; zeros where it has none. The error says that this
// machine does not know the user, or that it must own no mailbox.
func (s Store) IDs(u User) (uid, gid int, err error) {
	if u.Owner == "" {
		return u.UID, u.GID, nil
	}
	uid, gid, err = PrimaryIDs(u.Owner)
	if u.GID != 0 {
		gid = u.GID
	}
	switch {
	case err != nil:
		return 0, 0, err
	case uid < s.FirstUID:
		return 0, 0, fmt.Errorf("user %s is number %d, under store.first_valid_uid, %d", quote(u.Owner), uid, s.FirstUID)
	case gid < s.FirstGID:
		return 0, 0, fmt.Errorf("group %d of user %s is under store.first_valid_gid, %d", gid, quote(u.Owner), s.FirstGID)
	}
	return uid, gid, nil
}

// PrimaryIDs gives the number of a user of this machine, given by name or number, and that of
// the group of the user.
func PrimaryIDs(name string) (uid, gid int, err error) {
	if uid, err = UserID(name); err != nil {
		return 0, 0, err
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return 0, 0, fmt.Errorf("no user %s on this machine, whose group could be asked for", quote(name))
	}
	gid, err = id(u.Gid)
	return uid, gid, err
}

// GroupIDs gives the numbers of the groups that a user is in, by number.
func GroupIDs(uid int) ([]int, error) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil, nil // a number that nobody has is in no group
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of user %s: %w", u.Username, err)
	}
	var ids []int
	for _, name := range names {
		gid, err := id(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, gid)
	}
	return ids, nil
}

// RunAs gives whom the server is to run as, and with which group; false where it is left to whoever
// starts it.
func (s Store) RunAs() (uid, gid int, set bool, err error) {
	if s.User == "" {
		return 0, 0, false, nil
	}
	if s.Group == "" {
		uid, gid, err = PrimaryIDs(s.User)
	} else if uid, err = UserID(s.User); err == nil {
		gid, err = GroupID(s.Group)
	}
	switch {
	case err != nil:
		return 0, 0, true, err
	case uid == 0 || gid == 0:
		return 0, 0, true, errors.New("root and its group must not handle mail")
	}
	return uid, gid, true, nil
}
