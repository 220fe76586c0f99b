FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --create-home --home-dir /shop shop
WORKDIR /shop

COPY requirements.txt .
RUN pip install --requirement requirements.txt

COPY . .
RUN SHOP_DEBUG=true python manage.py collectstatic --no-input \
    && mkdir -p /shop/beat \
    && chown shop:shop /shop/beat

USER shop
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "-c", "python:deploy.webserver"]
