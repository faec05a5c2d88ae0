#include "train/run_folder.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "io/file.h"
#include "tensor/error.h"

namespace mini::train {
namespace fs = std::filesystem;
namespace {

// The folder, open and locked; -1 where it cannot be opened. File systems without locks lock nothing.
int locked(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    return descriptor;
  ::close(descriptor);
  fail("train: another process trains in ", path.string(),
       "; wait for it, end it, or choose another folder (--out FOLDER)");
}

}  // namespace

RunFolder::RunFolder(fs::path path) : path_(std::move(path)) {
  fs::create_directories(path_);
  descriptor_ = locked(path_);
  check(descriptor_ >= 0, "train: cannot open the folder ", path_.string());
  io::remove_stale_temporaries(path_);
  const fs::path pictures = path_ / "pictures";
  if (!fs::is_directory(pictures)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(pictures))
    if (entry.is_directory() && !entry.is_symlink()) io::remove_stale_temporaries(entry.path());
}

RunFolder::~RunFolder() { ::close(descriptor_); }

void RunFolder::check_free(const fs::path& path) {
  if (const int descriptor = locked(path); descriptor >= 0) ::close(descriptor);
}

void RunFolder::check_there() const {
  struct stat held {
  }, named{};
  check(::fstat(descriptor_, &held) == 0 && ::stat(path_.c_str(), &named) == 0 &&
            held.st_dev == named.st_dev && held.st_ino == named.st_ino,
        "train: the folder of the run, ", path_.string(),
        ", was removed or renamed; what was not saved before is lost");
}

}  // namespace mini::train
