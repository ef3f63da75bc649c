package powercut

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// diskFile is the name of the one file.
const diskFile = "disk"

// present mounts a file system at dir whose one file is the disk. It returns when the file is
// there: the mount is what the FUSE server has to answer for before anything else.
func present(d *Disk, dir string) (*fuse.Server, error) {
	return fs.Mount(dir, &folder{disk: d}, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, // root needs no fusermount
		FsName:            "powercut",
		MaxWrite:          1 << 20,
		DisableXAttrs:     true,
	}})
}

// A folder is the root directory.
type folder struct {
	fs.Inode
	disk *Disk
}

func (r *folder) OnAdd(ctx context.Context) {
	r.AddChild(diskFile, r.NewPersistentInode(ctx, &file{disk: r.disk}, fs.StableAttr{Mode: syscall.S_IFREG}), true)
}

// A file is the disk. The kernel keeps none of it in its page cache, which would be a cache that
// survives the cut.
type file struct {
	fs.Inode
	disk *Disk
}

func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o600, uint64(f.disk.size)
	return 0
}

// Setattr changes nothing: programs that make file systems set the size that is there.
func (f *file) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.Getattr(ctx, h, out)
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	p = p[:max(0, min(int64(len(p)), f.disk.size-off))]
	return fuse.ReadResultData(p), f.disk.ReadAt(p, off)
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	if off+int64(len(p)) > f.disk.size {
		return 0, syscall.ENOSPC
	}
	if errno := f.disk.WriteAt(p, off); errno != 0 {
		return 0, errno
	}
	return uint32(len(p)), 0
}

// Fsync is what a flush of the loop device becomes.
func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return f.disk.Flush() }
