// The functions of a machine, as promised in kernels.h. Included inside the machine's namespace
// (cpu/machine.h, cuda/verbs.h), so that the list stands once; hence no guard. A machine's table names them.

void fill(std::span<real> y, real value);
void unary(Unary op, const View<const real>& x, std::span<real> y);
void binary(Binary op, const View<const real>& a, const View<const real>& b, std::span<real> y);
void copy(const View<const real>& x, const View<real>& y);
void copy_int(const View<const std::int32_t>& x, const View<std::int32_t>& y);
void reduce(Reduce op, const View<const real>& x, int kept, std::span<real> y);
void matmul(const View<const real>& a, const View<const real>& b, std::span<real> y);
void conv2d(const ConvShape& s, std::span<const real> x, std::span<const real> w, std::span<const real> shift,
            std::span<const real> residual, std::span<real> y);
void conv2d_input(const ConvShape& s, std::span<const real> y, std::span<const real> w, std::span<real> x);
void conv2d_weight(const ConvShape& s, std::span<const real> x, std::span<const real> y, std::span<real> w);
void gather(std::span<const real> x, Index K, std::span<const std::int32_t> i, std::span<real> y);
void scatter_add(std::span<const real> x, Index K, std::span<const std::int32_t> i, std::span<real> y);
void random(Random kind, std::span<const std::int32_t> state, std::span<real> y);
void group_norm(Index N, Index C, Index L, Index G, real eps, bool silu, std::span<const real> x,
                std::span<const real> gamma, std::span<const real> beta, std::span<real> y,
                std::span<real> mean, std::span<real> rstd);
void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, std::span<const real> g,
                         std::span<const real> x, std::span<const real> gamma, std::span<const real> beta,
                         std::span<const real> mean, std::span<const real> rstd, std::span<real> gx,
                         std::span<real> ggamma, std::span<real> gbeta);
void squared_norms(std::span<const std::span<const real>> x, std::span<real> y);
void adam(std::span<const real> settings, std::span<const AdamArrays> parameters);
void lerp(std::span<const real> weight, std::span<const LerpArrays> arrays);
