-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What t1-srcu.t claims, of domains in the big size.

SRCU_SIZE = "big"
dofile(os.getenv("top_srcdir") .. "/t/t1-srcu.t")
