#include "tests/golden/group.h"

#include <algorithm>
#include <cmath>

#include "autograd/engine.h"
#include "tensor/view.h"

namespace mini::test {

GoldenGroup::GoldenGroup(const std::string& file, const std::string& group, DType dtype)
    : file_(io::read_safetensors(*golden_folder() / (file + ".safetensors"))),
      group_(group),
      dtype_(dtype) {
  const auto& meta = file_.metadata;
  if (meta.contains("salt")) salt_ = std::stoull(meta.at("salt"));
  if (meta.contains("gain")) gain_ = std::stod(meta.at("gain"));
}

std::int64_t GoldenGroup::number(const std::string& key) const {
  return std::stoll(file_.metadata.at(key));
}
double GoldenGroup::real(const std::string& key) const { return std::stod(file_.metadata.at(key)); }

void GoldenGroup::prepare(nn::Module& net, const Spelling& spelling) const {
  const NoGrad no_grad;
  net.to(DType::float64);
  for (const auto& [name, tensor] : net.named_parameters())
    fill_golden(spelling ? spelling(name) : name, tensor, salt_, gain_);
  net.to(dtype_);
  net.to(device());
}

void GoldenGroup::check(nn::Module& net, const std::function<Tensor(const Tensor&)>& call,
                        const Spelling& spelling, const std::string& input_of) const {
  const double tolerance = dtype_ == DType::float64 ? 1e-9 : 1e-4;
  const auto error = [&](const Tensor& value, const std::string& key) {
    return relative_error(ops::cast(value, DType::float64), expected(group_ + key));
  };
  const std::string input = (input_of.empty() ? group_ : input_of) + ".x";
  Tensor x = on_device(ops::cast(expected(input), dtype_));
  x.set_requires_grad();
  const Tensor out = call(x);
  EXPECT_LT(error(out, ".out"), tolerance) << group_;
  const Tensor loss = probe_loss(out, "probe." + group_ + ".out", salt_);
  EXPECT_LT(error(reshape(loss, {1}), ".loss"), tolerance) << group_;
  backward(loss);
  EXPECT_LT(error(x.grad(), ".x_grad"), tolerance) << group_;

  std::set<std::string> stats;
  for (const auto& [key, tensor] : file_.tensors)
    if (key.starts_with("grad_stat." + group_ + ".")) stats.insert(key);
  // Both numbers are relative to the norm of the gradient.
  for (const auto& tensors : {net.named_parameters(), net.named_buffers()})
    for (const auto& [name, tensor] : tensors) {
      if (!tensor.requires_grad()) continue;
      const std::string key = spelling ? spelling(name) : name;
      ASSERT_EQ(stats.erase("grad_stat." + group_ + "." + key), 1u) << key;
      ASSERT_TRUE(tensor.grad().defined()) << group_ << ' ' << name;
      const auto reference = expected("grad_stat." + group_ + "." + key).to_vector();
      const auto [norm, projection] = probe(tensor.grad(), group_ + "." + key, salt_);
      const double off =
          std::max(std::abs(norm - reference[0]), std::abs(projection - reference[1]));
      const bool delicate = dtype_ == DType::float32 && !delicate_.empty() &&
                            name.find(delicate_) != std::string::npos;
      EXPECT_LE(off, (delicate ? delicate_tolerance_ : tolerance) * reference[0])
          << group_ << ' ' << name << ", norm " << reference[0];
    }
  EXPECT_TRUE(stats.empty()) << "of a parameter that the network lacks: " << *stats.begin();
}

void set_exact_means(nn::Module& net, double range) {
  const Tensor mean = Tensor::from(std::vector<double>{0.4488, 0.4371, 0.4040}, {3});
  for (const auto& [name, tensor] : net.named_buffers())
    if (name.ends_with("mean.bias"))
      ops::copy(mean * (name == "sub_mean.bias" ? -range : range), tensor);
}

}  // namespace mini::test
