# What contributors and CI run. `make test` needs a Rust toolchain and Debian, and installs the rest.
#
#   make test        everything that must hold for a change: at most 25 minutes on two cores
#   make check       format, lints, docs, licences
#   make bench       the published figures, with the verdict on each acceptance line: up to an hour;
#                    writes docs/benchmark and the table in README.md
#   make prove       the full figures of every acceptance line: hours, for a release
#   make advisories  known faults in dependencies; needs cargo-deny and the network

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAM := $(TARGET)/release/stagedoor
# Further options of the benchmark, such as BENCH="--database sqlite --sizes 1000,20000 --rounds 1".
BENCH ?=

# Builds share one target directory; side by side they would only wait for each other.
.NOTPARALLEL:
.PHONY: test check unit conformance smoke bench prove advisories tools

test: check unit conformance smoke

check: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check licenses bans sources; fi

# Licences and banned versions are among the tests, since cargo-deny takes minutes to install.
unit: tools
	$(CARGO) test --locked

conformance: tools
	$(CARGO) build --locked --release
	conformance/scim2-tester.sh $(PROGRAM) $(abspath $(TARGET))/scim2-tester

# The benchmark on small directories: it must run, its figures are not judged.
smoke: tools
	$(CARGO) bench --locked --bench http -- --quick
	$(CARGO) bench --locked --bench import -- --quick
	$(CARGO) bench --locked --bench projection -- --quick
	$(CARGO) bench --locked --bench provider -- --quick

# Both run, whatever the first one says of its lines.
bench: tools
	$(CARGO) bench --locked --bench import || failed=1; \
	$(CARGO) bench --locked --bench projection || failed=1; \
	$(CARGO) bench --locked --bench provider || failed=1; \
	$(CARGO) bench --locked --bench http -- --json $(abspath $(TARGET))/bench.json \
	  --report docs/benchmark --readme README.md $(BENCH) && [ -z "$$failed" ]

prove: check
	PROPTEST_CASES=100000 STAGEDOOR_KILLS=50 STAGEDOOR_STEPS=50000 $(CARGO) test --locked --release
	$(MAKE) conformance
	$(MAKE) bench

advisories:
	$(CARGO) deny check

# What the steps above call and a minimal machine may lack: rustfmt and clippy, a C compiler for the
# bundled SQLite and the cryptography, libpq and a PostgreSQL for the tests, Python environments for the
# SCIM test suite, and the client libraries that sign in through stagedoor in the tests.
tools:
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
	@command -v cc >/dev/null || $(call install,gcc libc6-dev)
	@command -v pg_config >/dev/null || $(call install,libpq-dev)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || [ -n "$$STAGEDOOR_TEST_POSTGRES_URL" ] \
	  || [ -x "$$(pg_config --bindir)/initdb" ] || $(call install,postgresql-15)
	@python3 -c 'import ensurepip, venv' 2>/dev/null || $(call install,python3-venv)
	@command -v xmlsec1 >/dev/null || $(call install,xmlsec1)
	@command -v node >/dev/null && command -v npm >/dev/null || $(call install,nodejs npm)
	@cd tests/it/peers/samlify && { cmp -s package-lock.json node_modules/.installed || \
	  { npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed; }; }
	@cmp -s tests/it/peers/saml/requirements.txt $(TARGET)/peers/saml/installed || \
	  { python3 -m venv $(TARGET)/peers/saml && $(TARGET)/peers/saml/bin/pip install --quiet \
	  --disable-pip-version-check --requirement tests/it/peers/saml/requirements.txt && \
	  cp tests/it/peers/saml/requirements.txt $(TARGET)/peers/saml/installed; }
	@cd tests/it/peers/openid-client && { cmp -s package-lock.json node_modules/.installed || \
	  { npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed; }; }
	@cd tests/it/peers/oidc-provider && { cmp -s package-lock.json node_modules/.installed || \
	  { npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed; }; }
	@cd tests/it/peers/browser && { cmp -s package-lock.json node_modules/.installed || \
	  { npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed; }; }
	@[ -n "$$CHROMIUM" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || command -v google-chrome >/dev/null || $(call install,chromium)
	@cmp -s tests/it/peers/authlib/requirements.txt $(TARGET)/peers/authlib/installed || \
	  { python3 -m venv $(TARGET)/peers/authlib && $(TARGET)/peers/authlib/bin/pip install --quiet \
	  --disable-pip-version-check --requirement tests/it/peers/authlib/requirements.txt && \
	  cp tests/it/peers/authlib/requirements.txt $(TARGET)/peers/authlib/installed; }

# Installs Debian packages, as root or by sudo.
define install
{ as=; [ "$$(id -u)" = 0 ] || as=sudo; $$as apt-get update -q && \
  DEBIAN_FRONTEND=noninteractive $$as apt-get install -qy --no-install-recommends $(1); }
endef
