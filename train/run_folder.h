// The folder of a run, which one process at a time writes to: two would remove each other's checkpoints
// and mix their logs.
#pragma once

#include <filesystem>

namespace mini::train {

class RunFolder {
 public:
  // Makes the folder where there is none, and holds a lock on it (flock) that ends with the process,
  // however it ends. Throws when another process holds one. Then removes what killed runs left half
  // written.
  explicit RunFolder(std::filesystem::path path);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Throws when another process writes to the folder. It need not exist.
  static void check_free(const std::filesystem::path& path);
  // Throws when somebody has removed or renamed the folder since: what is written by name would go to
  // another place, and what is written to open files would be lost.
  void check_there() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace mini::train
