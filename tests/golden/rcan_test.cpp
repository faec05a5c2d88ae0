// RCAN against the official implementation: outputs and all gradients.
#include "models/upscale/rcan.h"

#include "ops/elementwise.h"
#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenRcan = test::GoldenTest;

TEST_P(GoldenRcan, MatchesTheOfficialImplementation) {
  Generator generator{1};
  for (const std::int64_t scale : {2, 4})
    for (const char form : {'p', 'b'}) {
      GoldenGroup golden("rcan", concat_text(form, scale), GetParam());
      // One attention is nearly saturated in p2 and p4, so that its gradients feel the rounding of
      // weights and input to float32: PyTorch's own are off by 1.03e-4 to 3.9e-4 in 8 tensors.
      golden.tolerate32("conv_du", 1e-3);
      models::Rcan net({.scale = scale,
                        .groups = golden.number("n_resgroups"),
                        .blocks = golden.number("n_resblocks"),
                        .features = golden.number("n_feats"),
                        .reduction = golden.number("reduction")},
                       generator);
      net.to(DType::float64);
      test::set_exact_means(net, 255);
      if (form == 'p')  // as the authors' trained ones: full matrices
        for (const auto& [name, tensor] : net.named_buffers()) {
          const double amount = name.ends_with("weight") ? 0.1 : 1;
          ops::add_(tensor, test::hash_uniform(name, tensor.shape(), golden.salt()), amount);
        }
      const nn::KeyTable table =
          models::Rcan::basicsr_keys(golden.number("n_resgroups"), golden.number("n_resblocks"));
      const auto spelling = [&](const std::string& name) {
        return form == 'b' ? table.to_theirs(name) : name;
      };
      golden.prepare(net, spelling);
      if (form == 'p')
        for (auto& [name, tensor] : net.named_buffers()) Tensor(tensor).set_requires_grad();
      golden.check(net, test::in_range(net, form == 'p' ? 255 : 1), spelling);
    }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenRcan, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
