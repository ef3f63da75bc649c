// Package powercut is a disk whose power fails, for tests. A Disk keeps what is written to it in
// a cache until a flush is asked for, as disks do; when it is cut, the cache is lost, all of it or
// a random part. It can also refuse writes and take its time to flush.
//
// A Volume is a real file system on such a disk: the disk is presented as a file by a FUSE
// server in the test's process, and that file is mounted by way of a loop device. What is on
// the disk after the cut can be mounted again, and looked at.
//
// It takes root, /dev/fuse, loop devices and the programs that make file systems. Need tells
// whether they are there, and Alone keeps the mounts from the rest of the machine.
package powercut
