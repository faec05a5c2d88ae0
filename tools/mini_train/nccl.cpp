// Collective between GPUs over NCCL (NVIDIA Collective Communications Library): tensors on the device
// go this way, everything else over MPI as before, the name of NCCL's communicator first of all.
//
// NCCL has a stream of its own, so sums and the rest of backward run at the same time. Neither waits
// on the host: a sum begins when what is queued on the computing stream so far is done, and after
// wait() that stream goes on when the sums are there.
#include <algorithm>
#include <cstdint>
#include <nccl.h>

#include "ops/cuda/runtime.h"
#include "tools/mini_train/processes.h"

namespace mini {
namespace {

constinit cuda::Library nccl{"NCCL", "libnccl.so.2", MINI_NCCL_FOUND};
MINI_LOADED(nccl, ncclAllReduce)
MINI_LOADED(nccl, ncclBroadcast)
MINI_LOADED(nccl, ncclCommDestroy)
MINI_LOADED(nccl, ncclCommInitRank)
MINI_LOADED(nccl, ncclGetErrorString)
MINI_LOADED(nccl, ncclGetLastError)
MINI_LOADED(nccl, ncclGetUniqueId)

void checked(ncclResult_t status, const char* call) {
  check(status == ncclSuccess, "nccl: ", call, " failed: ", ncclGetErrorString(status), " (",
        ncclGetLastError(nullptr), ')');
}

class NcclProcesses : public Processes {
 public:
  NcclProcesses(Processes& hosts, Device gpu) : hosts_(hosts) {
    ncclUniqueId id{};
    if (rank() == 0) checked(ncclGetUniqueId(&id), "ncclGetUniqueId");
    const std::span bytes(reinterpret_cast<std::uint8_t*>(id.internal), sizeof id.internal);
    const Tensor shared = Tensor::from(std::span<const std::uint8_t>(bytes), {sizeof id.internal});
    hosts_.broadcast(shared);
    std::copy_n(shared.data<std::uint8_t>(), bytes.size(), bytes.data());

    cuda::use(gpu);
    checked(ncclCommInitRank(&comm_, size(), id, rank()), "ncclCommInitRank");
    cuda::check_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                       "cudaStreamCreate");
    cuda::check_status(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming),
                       "cudaEventCreate");
  }
  ~NcclProcesses() override {
    cudaStreamSynchronize(stream_);
    ncclCommDestroy(comm_);
    cudaEventDestroy(event_);
    cudaStreamDestroy(stream_);
  }

  int rank() const override { return hosts_.rank(); }
  int size() const override { return hosts_.size(); }
  int local_rank() const override { return hosts_.local_rank(); }
  void abort() override { hosts_.abort(); }

  void start_all_reduce(const Tensor& values) override {
    if (values.device().is_cpu()) return hosts_.start_all_reduce(values);
    check(
        values.is_dense() && (values.dtype() == DType::float32 || values.dtype() == DType::float64),
        "nccl: adds up dense tensors of float32 or float64, got ", values.dtype(), values.shape());
    follow(stream_, cuda::stream());
    checked(ncclAllReduce(values.raw_data(), values.raw_data(),
                          static_cast<std::size_t>(values.numel()),
                          values.dtype() == DType::float32 ? ncclFloat32 : ncclFloat64, ncclSum,
                          comm_, stream_),
            "ncclAllReduce");
    in_flight_.push_back(values);
  }
  void poll() override { hosts_.poll(); }
  void wait() override {
    hosts_.wait();
    if (in_flight_.empty()) return;
    follow(cuda::stream(), stream_);
    in_flight_.clear();
  }

  void broadcast(const Tensor& values) override {
    if (values.device().is_cpu()) return hosts_.broadcast(values);
    check(values.is_dense(), "nccl: sends dense tensors, got ", values.dtype(), values.shape());
    follow(stream_, cuda::stream());
    checked(ncclBroadcast(values.raw_data(), values.raw_data(), values.bytes(), ncclUint8, 0, comm_,
                          stream_),
            "ncclBroadcast");
    follow(cuda::stream(), stream_);
  }

  std::vector<double> all_gather(std::span<const double> values) override {
    return hosts_.all_gather(values);
  }
  void barrier() override { hosts_.barrier(); }

 private:
  // Makes all work that is queued on `later` from now on wait for what is queued on `earlier` so far.
  void follow(cudaStream_t later, cudaStream_t earlier) const {
    cuda::check_status(cudaEventRecord(event_, earlier), "cudaEventRecord");
    cuda::check_status(cudaStreamWaitEvent(later, event_, 0), "cudaStreamWaitEvent");
  }

  Processes& hosts_;
  ncclComm_t comm_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  Tensors in_flight_;  // held until wait(), so that nothing else gets their memory
};

}  // namespace

std::unique_ptr<Processes> on_gpus(Processes& processes, Device gpu) {
  return std::make_unique<NcclProcesses>(processes, gpu);
}

}  // namespace mini
