// Collective over MPI (MPI Forum, "MPI: A Message-Passing Interface Standard", version 3.1).
//
// Gradients are added up by non-blocking all-reduces. MPI may move such a message only inside its
// own functions, so poll() calls MPI_Test while backward runs: every time a parameter is done, some
// hundred times a step. A thread of MPI's own would move it without, but it would also take a
// processor from the arithmetic, all the time.
#include <algorithm>
#include <cstdint>
#include <mpi.h>

#include "tensor/error.h"
#include "tools/mini_train/processes.h"

namespace mini {
namespace {

void checked(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  fail("mpi: ", call, ": ", text.substr(0, static_cast<std::size_t>(length)));
}

// The first line of the library's description, such as "Open MPI v4.1.4".
std::string library_version() {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  checked(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  return text.substr(0, text.find_first_of(",\n"));
}

class MpiProcesses : public Processes {
 public:
  MpiProcesses() {
    int threads = 0;
    // Only this thread talks to other processes; those that make batches or compute do not.
    checked(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads), "MPI_Init_thread");
    check(threads >= MPI_THREAD_FUNNELED, "mpi: this MPI allows no other threads in the program");
    checked(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    checked(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    checked(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
    check(size_ == processes_started(), "this is one of ", processes_started(),
          " processes that mpirun started, but MPI finds ", size_,
          "; is this the mpirun of the MPI that mini was built with (", library_version(), ")?");
    MPI_Comm machine = MPI_COMM_NULL;
    checked(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine),
            "MPI_Comm_split_type");
    checked(MPI_Comm_rank(machine, &local_rank_), "MPI_Comm_rank");
    checked(MPI_Comm_free(&machine), "MPI_Comm_free");
  }
  ~MpiProcesses() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  void abort() override { MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE); }

  void start_all_reduce(const Tensor& values) override {
    check(values.device().is_cpu() && values.is_dense() && values.numel() <= INT32_MAX &&
              (values.dtype() == DType::float32 || values.dtype() == DType::float64),
          "mpi: adds up dense tensors of float32 or float64 on the cpu, got ", values.dtype(),
          values.shape(), " on ", values.device());
    const MPI_Datatype type = values.dtype() == DType::float32 ? MPI_FLOAT : MPI_DOUBLE;
    requests_.push_back(MPI_REQUEST_NULL);
    in_flight_.push_back(values);
    checked(MPI_Iallreduce(MPI_IN_PLACE, values.raw_data(), static_cast<int>(values.numel()), type,
                           MPI_SUM, MPI_COMM_WORLD, &requests_.back()),
            "MPI_Iallreduce");
  }

  void poll() override {
    if (requests_.empty()) return;
    int done = 0;
    checked(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                        MPI_STATUSES_IGNORE),
            "MPI_Testall");
  }

  void wait() override {
    checked(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
    requests_.clear();
    in_flight_.clear();
  }

  void broadcast(const Tensor& values) override {
    check(values.device().is_cpu() && values.is_dense(),
          "mpi: sends dense tensors on the cpu, got ", values.dtype(), values.shape(), " on ",
          values.device());
    constexpr std::size_t most = std::size_t{1} << 30;  // MPI counts in int
    for (std::size_t start = 0; start < values.bytes(); start += most)
      checked(MPI_Bcast(values.raw_data() + start,
                        static_cast<int>(std::min(most, values.bytes() - start)), MPI_BYTE, 0,
                        MPI_COMM_WORLD),
              "MPI_Bcast");
  }

  std::vector<double> all_gather(std::span<const double> values) override {
    std::vector<double> all(values.size() * static_cast<std::size_t>(size_));
    const int count = static_cast<int>(values.size());
    checked(MPI_Allgather(values.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE,
                          MPI_COMM_WORLD),
            "MPI_Allgather");
    return all;
  }

  void barrier() override { checked(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier"); }

 private:
  int rank_ = 0, size_ = 1, local_rank_ = 0;
  std::vector<MPI_Request> requests_;
  Tensors in_flight_;  // kept here, so that no message outlives its memory
};

}  // namespace

std::unique_ptr<Processes> join_processes() { return std::make_unique<MpiProcesses>(); }

}  // namespace mini
