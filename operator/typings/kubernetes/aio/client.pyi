class Configuration:
    host: str
    proxy: str | None
    ssl_ca_cert: str | None
    cert_file: str | None
    key_file: str | None
    verify_ssl: bool

    async def get_api_key_with_prefix(self, identifier: str) -> str | None: ...
