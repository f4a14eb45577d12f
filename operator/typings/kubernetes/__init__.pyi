# What we use of `kubernetes`, typed. The package says that it is typed, is not where we call it, and its 1,700 modules
# are more to read than all of ours together. The modules of kopf's own fallback (`client`, `config`) are left empty.
